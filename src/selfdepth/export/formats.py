"""What every format shares: how it is run to be compared, and the description beside a file that cannot hold one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jaxtyping import Float32
from numpy import ndarray

from selfdepth.export.graphs import Network

Runner = Callable[[Sequence[Float32[ndarray, "_b 3 h w"]]], Float32[ndarray, "..."]]
"""An exported network in its runtime: its inputs, in their order, to its output."""
Write = Callable[[Network, Path, "Sequence[Float32[ndarray, '1 3 h w']] | None"], None]
"""Writes a network into a file of a folder that nobody else uses; images to calibrate int8 with, or None."""


def write_beside(network: Network, path: Path) -> None:
    """Write the description into PATH.json."""
    path.with_name(f"{path.name}.json").write_text(network.about.to_json() + "\n", encoding="utf-8")


@contextmanager
def quiet() -> Iterator[None]:
    """Without the advice of exporters to their own developers."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
