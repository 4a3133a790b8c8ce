"""Whether a run may start or resume in a folder, and which options a resumed run may change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from selfdepth.config import TrainConfig, to_json
from selfdepth.data.kitti.splits import split_path
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.run_config import read_run_config
from selfdepth.errors import CheckpointError, ConfigError, OutputError

_SCHEDULE = ("steps", "epochs", "minutes", "drop_after")
_RUN_ONLY = (*_SCHEDULE, "save_every", "keep", "device", "precision", "compile", "store")
"""Fields that a resumed run may change. None of them changes which clips the networks see, or the objective."""


def check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse to resume where there is no checkpoint, and to start where there is one.

    Raises:
        CheckpointError: for a resume without a checkpoint.
        OutputError: for a new run in the folder of another. A run that was killed before its first checkpoint has
            nothing to resume and does not count.
    """
    if resume:
        require_checkpoint(folder)
    elif last_checkpoint(folder) is not None:
        raise OutputError(
            "the output folder holds a run",
            where=folder,
            expected="a new or empty folder",
            fix="continue that run with --resume, or name another folder with --out",
        )


def require_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of a run. Raises CheckpointError if there is none."""
    checkpoint = last_checkpoint(folder)
    if checkpoint is None:
        raise CheckpointError(
            "there is nothing to resume",
            where=folder,
            expected="a run folder with checkpoints/",
            fix="leave --resume out to start a run there",
        )
    return checkpoint


def check_same_run(config: TrainConfig, folder: Path) -> None:
    """Refuse options that would make a resumed run another run.

    Args:
        config: of the resumed run; its height may still be unknown, before the data are opened.
        folder: of the run.

    Raises:
        ConfigError: for the first field that differs and must not.
    """
    run = read_run_config(folder)
    requested = replace(config, height=config.height or run.height, every=config.every or str(config.spacing))
    before, now = to_json(run), to_json(requested)
    # Paths are compared as places: a run may be resumed from another working directory.
    before["data"], now["data"] = (v["data"] and str(Path(v["data"]).expanduser().resolve()) for v in (before, now))
    before["split"], now["split"] = (v["split"] and str(split_path(v["split"])) for v in (before, now))
    for values in (before, now):  # a name that stands for a Python function has no place
        path = values["teacher"]["path"]
        if path and not config.teacher.is_python:
            values["teacher"]["path"] = str(Path(path).expanduser().resolve())
    changed = [name for name in now if name not in _RUN_ONLY and before[name] != now[name]]
    if changed:
        raise ConfigError(
            "a resumed run cannot change what it learns",
            where=f"--{changed[0].replace('_', '-')}",
            expected=str(before[changed[0]]),
            got=str(now[changed[0]]),
            fix="resume with the run's own options, or start a new run in another folder",
        )
