"""torch.export: a graph that runs with torch alone, without selfdepth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float32
from numpy import ndarray

from selfdepth.export.formats import Runner, quiet, write_beside
from selfdepth.export.graphs import Network


def write_torch(network: Network, path: Path, samples: Sequence[Float32[ndarray, "1 3 h w"]] | None = None) -> None:
    """Write PATH.pt2, with batch and size dynamic, and PATH.pt2.json."""
    with quiet():
        program = torch.export.export(network.module, network.examples(2), dynamic_shapes=network.dynamic_shapes())
        torch.export.save(program, path)
    write_beside(network, path)


def open_torch_runner(path: Path) -> Runner:
    """The network as torch runs it. Only for a file that was just written: such archives hold code."""
    module = torch.export.load(path).module()

    def run(inputs: Sequence[Float32[ndarray, "_b 3 h w"]]) -> Float32[ndarray, "..."]:
        with torch.inference_mode():
            output: ndarray = module(*map(torch.from_numpy, inputs)).numpy()
        return output

    return run
