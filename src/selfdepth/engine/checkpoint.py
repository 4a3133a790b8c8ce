"""Checkpoints: everything that a resume needs, in a folder that is complete or absent, also after a power cut.

`checkpoints/step_NNNNNN/` holds `state.pt` (weights and optimiser, read with `weights_only`), `state.json` (the
progress of the run), `config.json` (its configuration, in case that of the run is lost) and `manifest.json`, written
last: the checksums of the others. No random state is saved: clips, augmentation and noise follow from (seed, step).
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from selfdepth.config import TrainConfig, to_json
from selfdepth.engine.progress import Progress, read_progress
from selfdepth.engine.run_config import CHECKPOINTS_FOLDER, CONFIG_FILE, MANIFEST_FILE
from selfdepth.errors import CheckpointError, SelfDepthWarning
from selfdepth.files import checksum, make_folder, put_in_place, remove_tree, rename, writing_to
from selfdepth.texts import decoding, read_json
from selfdepth.weights.torch_files import load_plain

STATE_FILE, PROGRESS_FILE = "state.pt", "state.json"
_MARK = "selfdepth-checkpoint"
_FIRST_WITH_MANIFEST = "arithmetic"
"""A field of the progress, which versions that write no manifest do not know."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint whose files are what was written.

    Attributes:
        folder: it.
        progress: of the run.
        damaged: newer ones, whose files are not what was written.
    """

    folder: Path
    progress: Progress
    damaged: tuple[Path, ...] = ()


def save_checkpoint(
    run: Path,
    learner: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    *,
    keep: int,
    config: TrainConfig | None = None,
) -> Path:
    """Write a checkpoint under a temporary name, rename it, then delete all but the newest `keep`.

    Args:
        config: of the run; None: the checkpoint has none of its own.

    Returns:
        The folder of the new checkpoint.

    Raises:
        DiskFullError: if there is no space for it. Older checkpoints stay, and nothing of the new one.
        OutputError: if the folder cannot be written. Likewise.
    """
    folder = run / CHECKPOINTS_FOLDER / f"step_{progress.step:06d}"
    partial = folder.with_name(f".{folder.name}.partial")
    state = {"learner": learner.state_dict(), "optimizer": optimizer.state_dict()}
    with writing_to(folder, needs_bytes=sum(tensor.nbytes for tensor in _tensors(state))):
        remove_tree(partial)
        make_folder(partial)
        try:
            sums = {STATE_FILE: _write_state(partial / STATE_FILE, state)}
            sums[PROGRESS_FILE] = _write_text(partial / PROGRESS_FILE, progress.to_json())
            if config is not None:
                sums[CONFIG_FILE] = _write_text(partial / CONFIG_FILE, json.dumps(to_json(config), indent=2) + "\n")
            manifest = {"format": _MARK, "version": 1, "sha256": sums}
            _write_text(partial / MANIFEST_FILE, json.dumps(manifest, indent=2) + "\n")
            put_in_place(partial, folder)
        except BaseException:  # KeyboardInterrupt too: a second Ctrl-C must not leave half a checkpoint
            remove_tree(partial)
            raise
    # Only now, with the new one in place: at no time may a run be without a checkpoint.
    for old in checkpoints(run)[:-keep]:
        remove_tree(old)
    return folder


def checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints, oldest first. By number, because step_1000000 comes before step_999999 by name."""
    numbered = ((_step_of(folder), folder) for folder in (run / CHECKPOINTS_FOLDER).glob("step_*"))
    return [folder for step, folder in sorted(numbered) if step >= 0]


def last_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    found = checkpoints(run)
    return found[-1] if found else None


def newest_intact(run: Path) -> Checkpoint | None:
    """The newest checkpoint whose files are what was written; None if there is no checkpoint at all.

    Warns:
        SelfDepthWarning: of every newer one that is damaged, and of a checkpoint without checksums.

    Raises:
        CheckpointError: if all of them are damaged.
    """
    damaged: list[Path] = []
    for folder in reversed(checkpoints(run)):
        try:
            found = examine(folder)
        except CheckpointError as error:
            warnings.warn(f"{error}; the checkpoint before it is tried", SelfDepthWarning, stacklevel=2)
            damaged.append(folder)
        else:
            return Checkpoint(folder=folder, progress=found.progress, damaged=tuple(damaged))
    if damaged:
        raise CheckpointError(
            "no checkpoint of the run is intact",
            where=run,
            got=f"{len(damaged)} damaged: {', '.join(folder.name for folder in damaged)}",
            fix="start a new run in another folder; with --init and this run's best/ it begins with these weights",
        )
    return None


def examine(folder: Path) -> Checkpoint:
    """Check the files of a checkpoint against its manifest.

    Warns:
        SelfDepthWarning: if it has none, because an older version wrote it. The check values that its archive of
            weights has inside must then do.

    Raises:
        CheckpointError: if a file is missing, or is not what was written.
    """

    def damaged(got: str) -> CheckpointError:
        return CheckpointError("the checkpoint is damaged", where=folder, got=got)

    with decoding(damaged):
        problem = _problem_of(folder)
    if problem:
        raise damaged(problem)
    progress = read_progress(folder / PROGRESS_FILE, _step_of(folder))
    if not (folder / MANIFEST_FILE).exists():
        warnings.warn(
            f"{folder} has no checksums, because an older version wrote it: its weights are intact by the archive's "
            "own check values, and its progress is taken at its word",
            SelfDepthWarning,
            stacklevel=2,
        )
    return Checkpoint(folder=folder, progress=progress)


def load_checkpoint(
    checkpoint: Checkpoint, learner: torch.nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> None:
    """Restore weights and optimiser in place.

    Raises:
        CheckpointError: if the files belong to other networks, or hold numbers that are not finite.
    """
    path = checkpoint.folder / STATE_FILE
    try:
        state = load_plain(
            path, device=device, require_modest=_like(learner, path), refusal=lambda got: _unreadable(path, got)
        )
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
    except CheckpointError:
        raise
    except Exception as error:  # torch raises half a dozen kinds of exception for what does not fit
        raise _unreadable(path, type(error).__name__) from error
    broken = not_finite(learner) or _not_finite_moment(optimizer)
    if broken:
        raise CheckpointError(
            "the checkpoint holds numbers that are not finite",
            where=path,
            got=broken,
            fix="delete this folder to resume from the checkpoint before it, or start a new run in another folder",
        )


def _like(learner: torch.nn.Module, path: Path) -> Callable[[int], None]:
    """Refuses a number of bytes that no checkpoint of these networks has."""
    # The optimiser has two numbers for each of the networks' at most; the rest is for what the file needs itself.
    most = 4 * sum(tensor.nbytes for tensor in learner.state_dict().values()) + 64_000_000

    def require(n_bytes: int) -> None:
        if n_bytes > most:
            raise CheckpointError(
                "the checkpoint is too large for this run's networks",
                where=path,
                expected=f"at most {most / 1e6:,.0f} megabytes",
                got=f"{n_bytes / 1e6:,.0f} megabytes",
                fix=_RESUME_AS_BEFORE,
            )

    return require


_RESUME_AS_BEFORE = "resume with the run's own options and version of selfdepth, or start a new run in another folder"


def _unreadable(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        "the checkpoint cannot be read",
        where=path,
        expected="weights of this run's networks, and nothing else",
        got=got[:200],
        fix=_RESUME_AS_BEFORE,
    )


def put_damaged_aside(checkpoint: Checkpoint) -> None:
    """Rename the damaged checkpoints, so that they are neither tried again nor counted among those to keep."""
    for folder in checkpoint.damaged:
        put_aside(folder)


def put_aside(damaged: Path) -> Path:
    """Rename a damaged folder to NAME.damaged, in place of an earlier one. Returns its new name.

    Raises:
        OutputError: if it cannot be renamed.
    """
    aside = damaged.with_name(f"{damaged.name}.damaged")
    with writing_to(aside):
        remove_tree(aside)
        rename(damaged, aside)
    return aside


def not_finite(learner: torch.nn.Module) -> str:
    """The name of the first tensor with a number that is not finite; empty if there is none."""
    tensors = {name: tensor for name, tensor in learner.state_dict().items() if tensor.is_floating_point()}
    if not tensors or bool(torch.stack([tensor.isfinite().all() for tensor in tensors.values()]).all()):
        return ""
    return next(name for name, tensor in tensors.items() if not tensor.isfinite().all())


def _not_finite_moment(optimizer: torch.optim.Optimizer) -> str:
    """As `not_finite`, of what the optimiser remembers of the gradients."""
    for index, moments in optimizer.state_dict()["state"].items():
        for name, tensor in moments.items():
            if isinstance(tensor, torch.Tensor) and not bool(tensor.isfinite().all()):
                return f"{name} of the optimiser, for parameter {index}"
    return ""


def _problem_of(folder: Path) -> str:
    """What is wrong with the files of a checkpoint; empty if nothing is."""
    if not (folder / MANIFEST_FILE).exists():
        if _must_have_manifest(folder):
            return f"{MANIFEST_FILE} is missing"
        with zipfile.ZipFile(folder / STATE_FILE) as archive:
            broken = archive.testzip()
        return "" if broken is None else f"{STATE_FILE} is not what was written"
    manifest = read_json(folder / MANIFEST_FILE, what="the manifest cannot be read", error=CheckpointError)
    sums = manifest.get("sha256") if manifest.get("format") == _MARK else None
    if not isinstance(sums, dict) or sums.keys() - {CONFIG_FILE} != {STATE_FILE, PROGRESS_FILE}:
        return f"{MANIFEST_FILE} is not what was written"
    for name, expected in sums.items():
        if checksum(folder / name) != expected:
            return f"{name} is not what was written: its checksum differs"
    return ""


def _must_have_manifest(folder: Path) -> bool:
    """Whether a version that writes manifests wrote this checkpoint: it says so itself, or an older one beside it has
    one. A newer one may have it because selfdepth was updated in between."""
    what = "the progress of the run cannot be read"
    if _FIRST_WITH_MANIFEST in read_json(folder / PROGRESS_FILE, what=what, error=CheckpointError):
        return True
    older = (each for each in folder.parent.glob("step_*") if _step_of(each) < _step_of(folder))
    return any((each / MANIFEST_FILE).exists() for each in older)


class _Summed:
    """A file that computes the checksum of what is written to it, and remembers the error that torch hides."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.error = file, hashlib.sha256(), None

    error: OSError | None

    def write(self, data: Any) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        """torch asks for it."""
        self._file.flush()


def _write_state(path: Path, state: dict[str, Any]) -> str:
    """Write weights and optimiser. Returns the checksum of what was meant to be written."""
    with path.open("wb") as file:
        summed = _Summed(file)
        try:
            torch.save(state, summed)  # type: ignore[arg-type]  # all that it needs
        except RuntimeError as error:
            # torch's zip writer reports a full disk as a RuntimeError, which writing_to would not turn into a sentence.
            raise (summed.error or OSError(None, f"{str(error).splitlines()[0]} (is the disk full?)")) from error
    return summed.digest.hexdigest()


def _write_text(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def _tensors(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from _tensors(value)


def _step_of(folder: Path) -> int:
    """The step in a folder's name, or -1 for another name."""
    match = re.fullmatch(r"step_([0-9]{6,12})", folder.name)
    return int(match[1]) if match else -1
