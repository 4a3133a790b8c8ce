"""Checkpoints: everything a resume needs, in one folder that is there whole or not at all.

`checkpoints/step_NNNNNN/` holds `state.pt` (weights and optimiser, read with `weights_only`) and `state.json` (where
the run was). There is no random state to keep: clips, augmentation and noise are functions of (seed, step).
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from selfdepth.errors import CheckpointError
from selfdepth.files import writing_to

_FOLDER = "checkpoints"


@dataclass(kw_only=True)
class Progress:
    """Where a run is: the only thing that changes in it besides weights and optimiser.

    Attributes:
        step: optimiser steps done; also the number of the next batch.
        elapsed_s: seconds of training so far, over all resumes.
        best_score: lowest validation score so far, or None before the first.
        best_step: the step it was at.
    """

    step: int = 0
    elapsed_s: float = 0.0
    best_score: float | None = None
    best_step: int = 0


def save_checkpoint(
    run: Path, learner: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, *, keep: int
) -> Path:
    """Write a checkpoint under a temporary name, rename it, then drop all but the newest `keep`.

    Raises:
        OutputError: when the folder cannot be written or the disk is full; older checkpoints stay.
    """
    folder = run / _FOLDER / f"step_{progress.step:06d}"
    partial = folder.with_name(f".{folder.name}.partial")
    with writing_to(folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _write_state(partial / "state.pt", {"learner": learner.state_dict(), "optimizer": optimizer.state_dict()})
            (partial / "state.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    for old in _checkpoints(run)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def last_checkpoint(run: Path) -> Path | None:
    """The newest whole checkpoint of a run, or None."""
    found = _checkpoints(run)
    return found[-1] if found else None


def load_checkpoint(
    folder: Path, learner: torch.nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> Progress:
    """Put weights and optimiser back as they were, and say where the run was.

    Raises:
        CheckpointError: when the files are damaged or belong to other networks.
    """
    try:
        state = torch.load(folder / "state.pt", map_location=device, weights_only=True)
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
        return Progress(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise CheckpointError(
            "the checkpoint cannot be read",
            where=folder,
            got=str(error).splitlines()[0][:200],
            fix="delete this folder to resume from the one before it",
        ) from error


def _write_state(path: Path, state: dict[str, Any]) -> None:
    try:
        torch.save(state, path)
    except RuntimeError as error:
        # torch's zip writer reports a full disk as a RuntimeError.
        raise OSError(None, f"{str(error).splitlines()[0]} (is the disk full?)") from error


def _checkpoints(run: Path) -> list[Path]:
    folders = (run / _FOLDER).glob("step_*")
    numbered = [(int(match[1]), folder) for folder in folders if (match := re.fullmatch(r"step_(\d+)", folder.name))]
    return [folder for _, folder in sorted(numbered)]
