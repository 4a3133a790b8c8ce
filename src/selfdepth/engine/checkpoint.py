"""Checkpoints: everything that a resume needs, in a folder that is complete or absent.

`checkpoints/step_NNNNNN/` holds `state.pt` (weights and optimiser, read with `weights_only`) and `state.json` (the
progress of the run). No random state is saved: clips, augmentation and noise are functions of (seed, step).
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
from selfdepth.learners.self_supervised import Stage

_FOLDER = "checkpoints"


@dataclass(kw_only=True)
class Progress:
    """The progress of a run: with weights and optimiser, all of its state that changes.

    Attributes:
        step: number of optimiser steps taken, which is also the index of the next batch.
        elapsed_s: seconds since the start of the loop, validation included, summed over all resumes.
        best_score: lowest validation score so far; None before the first validation.
        best_step: the step of `best_score`.
        stage: of a start with the motion first (`engine/motion_first.py`); without effect in other runs.
        explained: running mean of the share of pixels that warping explains, by which a stage ends.
    """

    step: int = 0
    elapsed_s: float = 0.0
    best_score: float | None = None
    best_step: int = 0
    stage: Stage = "motion"
    explained: float = 0.0


def save_checkpoint(
    run: Path, learner: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, *, keep: int
) -> Path:
    """Write a checkpoint under a temporary name, rename it, then delete all but the newest `keep`.

    Returns:
        The folder of the new checkpoint.

    Raises:
        OutputError: if the folder cannot be written or the disk is full. Older checkpoints stay.
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
        except BaseException:  # KeyboardInterrupt too: a second Ctrl-C must not leave half a checkpoint
            shutil.rmtree(partial, ignore_errors=True)
            raise
    # Only now, with the new one in place: at no time may a run be without a checkpoint.
    for old in _checkpoints(run)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def last_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    checkpoints = _checkpoints(run)
    return checkpoints[-1] if checkpoints else None


def load_checkpoint(
    folder: Path, learner: torch.nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> Progress:
    """Restore weights and optimiser in place, and return the progress of the run.

    Raises:
        CheckpointError: if the files are damaged or belong to other networks.
    """
    try:
        state = torch.load(folder / "state.pt", map_location=device, weights_only=True)
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
        return Progress(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except Exception as error:  # torch raises half a dozen kinds of exception for a damaged file
        raise CheckpointError(
            "the checkpoint cannot be read",
            where=folder,
            got=str(error).splitlines()[0][:200],
            fix="delete this folder to resume from the checkpoint before it",
        ) from error


def _write_state(path: Path, state: dict[str, Any]) -> None:
    try:
        torch.save(state, path)
    except RuntimeError as error:
        # torch's zip writer reports a full disk as a RuntimeError, which writing_to would not turn into a sentence.
        raise OSError(None, f"{str(error).splitlines()[0]} (is the disk full?)") from error


def _checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints, oldest first. By number, because step_1000000 comes before step_999999 by name."""
    folders = (run / _FOLDER).glob("step_*")
    numbered = [(int(match[1]), folder) for folder in folders if (match := re.fullmatch(r"step_(\d+)", folder.name))]
    return [folder for _, folder in sorted(numbered)]
