"""The folder of a run: whether a run may start or go on there, and what a resumed run may change."""

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
"""Fields that a resumed run may change: they do not change what is learned from which frames."""


def check_folder(folder: Path, *, resume: bool) -> None:
    if resume:
        require_checkpoint(folder)
    elif last_checkpoint(folder) is not None:  # a run that was killed before its first leaves nothing to continue
        raise OutputError(
            "the output folder holds a run",
            where=folder,
            expected="a new or empty folder",
            fix="continue that run with --resume, or name another folder with --out",
        )


def require_checkpoint(folder: Path) -> Path:
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
    run = read_run_config(folder)
    asked = replace(config, height=config.height or run.height, every=config.every or str(config.spacing))
    before, now = to_json(run), to_json(asked)
    # The same place may be written in two ways.
    before["data"], now["data"] = (v["data"] and str(Path(v["data"]).expanduser().resolve()) for v in (before, now))
    before["split"], now["split"] = (v["split"] and str(split_path(v["split"])) for v in (before, now))
    changed = [name for name in now if name not in _RUN_ONLY and before[name] != now[name]]
    if changed:
        raise ConfigError(
            "a resumed run cannot change what it learns",
            where=f"--{changed[0].replace('_', '-')}",
            expected=str(before[changed[0]]),
            got=str(now[changed[0]]),
            fix="repeat the run's own options with --resume, or start a new run in another folder",
        )
