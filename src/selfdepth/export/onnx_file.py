"""ONNX at opset 18, batch and size dynamic; in int8 quantised by onnxruntime with the user's frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray

from selfdepth.export.bias_correction import correct_biases
from selfdepth.export.formats import Runner, quiet
from selfdepth.export.graphs import Network
from selfdepth.networks.onnx_model import COLOURS_KEY, SIZE_KEY
from selfdepth.weights.exported import METADATA_KEY

OPSET = 18
"""The floor: earlier opsets cannot say how the networks pad and enlarge."""
_QUANTISED = ("Conv", "Add", "Concat", "Resize", "Pad", "MaxPool", "Clip", "Relu")
"""What is computed in eight bits. Normalisation, ELU, sigmoid and the depth range stay in float."""


def write_onnx(network: Network, path: Path, samples: Sequence[Float32[ndarray, "1 3 h w"]] | None = None) -> None:
    """Write a network and its description.

    Args:
        samples: images to calibrate int8 with; None: no quantisation.
    """
    import onnx

    with quiet():
        program = torch.onnx.export(
            network.module,
            network.examples(2),  # one would be taken for a constant
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=network.dynamic_shapes(),
            input_names=list(network.input_names),
            output_names=[network.output_name],
            verbose=False,
        )
        assert program is not None  # it is, with dynamo
        program.save(str(path), external_data=False)
    if samples is not None:
        _quantise(path, network.input_names[0], samples)
    model = onnx.load(path)
    _describe(model, network)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def open_onnx_runner(path: Path) -> Runner:
    """The network in onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(inputs: Sequence[Float32[ndarray, "_b 3 h w"]]) -> Float32[ndarray, "..."]:
        (output,) = session.run(None, dict(zip(names, inputs, strict=True)))
        return np.asarray(output)

    return run


def _describe(model: Any, network: Network) -> None:
    about = network.about
    entries = {METADATA_KEY: about.to_json()}
    if about.kind == "depth":  # what a teacher is opened by
        entries |= {SIZE_KEY: f"{about.width}x{about.height}", COLOURS_KEY: "unit"}
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name, model.producer_version = "selfdepth", about.selfdepth
    for value, port in zip(
        [*model.graph.input, *model.graph.output], [*about.inputs.values(), *about.outputs.values()], strict=True
    ):
        value.doc_string = f"{port.what}; unit: {port.unit}; {port.layout}; range: {port.range}"


def _quantise(path: Path, input_name: str, samples: Sequence[Float32[ndarray, "1 3 h w"]]) -> None:
    """Replace a model by its quantised form: weights per channel in int8, activations in uint8."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = path.with_name(f"prepared_{path.name}")
    with quiet():
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        head = _head(model)
        correct_biases(model, samples, head)
        onnx.save(model, prepared)
        quantize_static(
            str(prepared),
            str(path),
            _Samples(input_name, samples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=head,
        )
    prepared.unlink()


def _head(model: Any) -> list[str]:
    """The nodes from the last convolution to the output: eight bits would leave steps in the disparity."""
    makers = {name: node for node in model.graph.node for name in node.output}
    names, waiting = [], [each.name for each in model.graph.output]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in names:
            names.append(node.name)
            waiting += [] if node.op_type == "Conv" else list(node.input)
    return names


class _Samples:
    """Gives onnxruntime one image after the other; its interface is `get_next`, which ends with None."""

    def __init__(self, name: str, images: Sequence[Float32[ndarray, "1 3 h w"]]) -> None:
        self._inputs: Iterator[dict[str, ndarray]] = iter([{name: image} for image in images])

    def get_next(self) -> dict[str, ndarray] | None:
        return next(self._inputs, None)

    def __iter__(self) -> Iterator[dict[str, ndarray]]:
        return self._inputs
