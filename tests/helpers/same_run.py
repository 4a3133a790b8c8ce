"""Whether two runs have ended alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from selfdepth.engine.checkpoint import STATE_FILE, newest_intact
from selfdepth.engine.tracking import read_metrics

_CLOCK = ("clips_per_s", "elapsed_s")


def difference(a: Path, b: Path) -> str:
    """The first difference between two run folders: weights, optimiser, progress, metrics; empty if there is none.

    The clock is left out: it is the only thing in which they may differ.
    """
    ours, theirs = newest_intact(a), newest_intact(b)
    if ours is None or theirs is None:
        return "a checkpoint is missing"
    if replace(ours.progress, elapsed_s=0.0) != replace(theirs.progress, elapsed_s=0.0):
        return f"progress {ours.progress} and {theirs.progress}"
    states = [torch.load(each.folder / STATE_FILE, weights_only=True) for each in (ours, theirs)]
    if not _same(*states):
        return "weights or optimiser of the checkpoint"
    for name in ("best", "last"):
        if (a / name / "model.safetensors").read_bytes() != (b / name / "model.safetensors").read_bytes():
            return f"the weights in {name}/"
    lines = [[{k: v for k, v in line.items() if k not in _CLOCK} for line in read_metrics(each)] for each in (a, b)]
    return "" if lines[0] == lines[1] else f"metrics {lines}"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)
