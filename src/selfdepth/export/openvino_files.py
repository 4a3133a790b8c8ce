"""OpenVINO: a graph in XML and its weights in a file beside it, converted from the ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from selfdepth.export.formats import Runner
from selfdepth.export.graphs import Network
from selfdepth.export.onnx_file import write_onnx
from selfdepth.weights.exported import METADATA_KEY


def write_openvino(network: Network, path: Path, samples: Sequence[Float32[ndarray, "1 3 h w"]] | None = None) -> None:
    """Write PATH.xml and PATH.bin; fp16 compresses the weights, which the CPU takes apart when it loads them.

    Args:
        samples: as for `write_onnx`, whose eight bits OpenVINO takes over.
    """
    import openvino  # type: ignore[import-untyped,unused-ignore]

    graph = path.with_suffix(".onnx")
    write_onnx(network, graph, samples)
    model = openvino.convert_model(graph)
    model.set_rt_info(network.about.to_json(), [METADATA_KEY])
    openvino.save_model(model, path, compress_to_fp16=network.about.precision == "fp16")
    graph.unlink()


def open_openvino_runner(path: Path) -> Runner:
    """The network in OpenVINO, on the CPU, whose arithmetic stays float32 where the graph says so."""
    import openvino  # type: ignore[import-untyped,unused-ignore]

    core = openvino.Core()
    # The plugin's own choice on newer CPUs is bf16, with steps in the disparity.
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})

    def run(inputs: Sequence[Float32[ndarray, "_b 3 h w"]]) -> Float32[ndarray, "..."]:
        return np.asarray(compiled(list(inputs))[0])

    return run
