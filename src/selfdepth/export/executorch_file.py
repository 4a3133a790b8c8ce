"""ExecuTorch with XNNPACK, for phones and small boards: one image of the training size at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32
from numpy import ndarray

from selfdepth.export.formats import Runner, quiet, write_beside
from selfdepth.export.graphs import Network
from selfdepth.export.whole import whole_forms


def write_executorch(
    network: Network, path: Path, samples: Sequence[Float32[ndarray, "1 3 h w"]] | None = None
) -> None:
    """Write PATH.pte and PATH.pte.json."""
    with quiet():
        path.write_bytes(lowered(network).to_executorch().buffer)
    write_beside(network, path)


def lowered(network: Network) -> Any:
    """The program with all that XNNPACK takes handed to it; the rest runs operator by operator."""
    from executorch import exir
    from executorch.backends.xnnpack.partition import xnnpack_partitioner as xnnpack

    program = torch.export.export(network.module, network.examples(1)).run_decompositions(whole_forms())
    return exir.to_edge_transform_and_lower(program, partitioner=[xnnpack.XnnpackPartitioner()])


def delegates_and_rest(program: Any) -> tuple[int, list[str]]:
    """How many parts of a lowered program XNNPACK runs, and the names of the operators between them."""
    calls = [node.target for node in program.exported_program().graph.nodes if node.op == "call_function"]
    names = [str(getattr(target, "__name__", target)) for target in calls]
    rest = [name for name in names if name not in ("executorch_call_delegate", "getitem")]
    return names.count("executorch_call_delegate"), rest


def open_executorch_runner(path: Path) -> Runner:
    """The network in ExecuTorch's runtime for Python."""
    from executorch import runtime

    program = runtime.Runtime.get().load_program(path.read_bytes())

    def run(inputs: Sequence[Float32[ndarray, "_b 3 h w"]]) -> Float32[ndarray, "..."]:
        # Asked for anew, from the program's table: a method does not keep the program alive whose memory it reads.
        method = program.load_method("forward")
        output: ndarray = method.execute([torch.from_numpy(each) for each in inputs])[0].numpy()
        return output

    return run
