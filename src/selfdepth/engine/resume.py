"""Whether a run may start or resume in a folder, and which options a resumed run may change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from selfdepth.config import TrainConfig, to_json
from selfdepth.data.kitti.splits import split_path
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.history import HISTORY_FILE
from selfdepth.engine.run_config import CHECKPOINTS_FOLDER, CONFIG_FILE, METRICS_FILE, read_run_config, recorded_config
from selfdepth.errors import CheckpointError, ConfigError, OutputError, SelfDepthError
from selfdepth.places import is_url, path_of

_SCHEDULE = ("steps", "epochs", "minutes", "drop_after", "learning_rate")
_SAVING = ("save_every", "keep", "on_full_disk")
_MACHINE = ("on_error", "device", "precision", "compile", "sync_batch_norm", "store", "cache_gb")
_RUN_ONLY = (*_SCHEDULE, *_SAVING, *_MACHINE)
"""Fields that a resumed run may change. None of them changes which clips the networks see, or the objective."""
_RECORD = (METRICS_FILE, HISTORY_FILE, "tensorboard", "previews", "skipped", "teacher.json")
_MODELS = ("best", "last")


def check_folder(config: TrainConfig, folder: Path, *, resume: bool) -> None:
    """Refuse to resume where there is no checkpoint, and to start where something would be overwritten.

    A run that was killed before its first checkpoint has nothing to resume; with the same options it may start again.
    Files of names that no run writes do not matter: a log, for example.

    Raises:
        CheckpointError: for a resume without a checkpoint.
        OutputError: for a new run in a folder with a model, a run, or the record or configuration of one; for any in
            one with a file where models or checkpoints are to be saved.
    """
    for name in (*_MODELS, CHECKPOINTS_FOLDER):
        _require_no_file(folder / name)
    if resume:
        if last_checkpoint(folder) is None:
            raise nothing_to_resume(folder)
        return
    if last_checkpoint(folder) is not None:
        raise _occupied("a run", folder, fix="continue that run with --resume, or name another folder with --out")
    for name in _MODELS:
        if _holds_a_model(folder / name):
            raise _occupied(f"a model, {name}/", folder)
    if (folder / CONFIG_FILE).exists():
        _require_own_config(config, folder)
        return
    for name in _RECORD:
        if (folder / name).exists():
            raise _occupied(f"{name} without the configuration of a run", folder)


def nothing_to_resume(folder: Path) -> CheckpointError:
    """The error for a run folder without checkpoints."""
    is_model = any(_holds_a_model(folder / name) for name in _MODELS)
    fix = "leave --resume out to start a run there"
    if is_model:
        fix = "start a run in another folder; with --init it begins with this folder's model"
    return CheckpointError(
        "there is nothing to resume", where=folder, expected="a run folder with checkpoints/", fix=fix
    )


def _require_no_file(folder: Path) -> None:
    """Refuse a file, or a link to nowhere, in the place of a folder of the run: nothing could be saved there."""
    if (folder.is_symlink() or folder.exists()) and not folder.is_dir():
        raise OutputError(
            "a file is where the run saves a folder",
            where=folder,
            expected="a folder, or nothing",
            got="a file" if folder.exists() else "a link to nowhere",
            fix="rename it, or name another folder with --out",
        )


def _holds_a_model(folder: Path) -> bool:
    # A run that was killed while it saved for the first time leaves hidden files.
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def _require_own_config(config: TrainConfig, folder: Path) -> None:
    try:
        run = read_run_config(folder)
        check_same_run(replace(config, crop=config.crop or run.crop), folder)  # a store brings its crop along
    except SelfDepthError as error:
        raise _occupied(f"the {CONFIG_FILE} of something else ({error.where}: {error.got})", folder) from error


def _occupied(got: str, folder: Path, fix: str = "name another folder with --out, or empty this one") -> OutputError:
    return OutputError(
        "the output folder holds " + got, where=folder, expected="a new or empty folder, or this very run", fix=fix
    )


def check_same_run(config: TrainConfig, folder: Path) -> None:
    """Refuse options that would make a resumed run another run.

    Args:
        config: of the resumed run; its height may still be unknown, before the data are opened.
        folder: of the run.

    Raises:
        ConfigError: for the first field that differs and must not.
        CheckpointError: if the run's configuration cannot be read.
    """
    run = recorded_config(folder)
    rectify = run.rectify if config.rectify == "auto" else config.rectify  # what auto found is recorded
    requested = replace(
        config,
        height=config.height or run.height,
        every=config.every or str(config.spacing),
        rectify=rectify,
        shuffle_window=config.shuffle_window or run.shuffle_window,  # that of chunks fits the cache with which it began
    )
    before, now = to_json(run), to_json(requested)
    # Paths are compared as places: a run may be resumed from another working directory.
    for name in ("data", "speed"):
        before[name], now[name] = (v[name] and _place(v[name]) for v in (before, now))
    before["split"], now["split"] = (v["split"] and str(split_path(v["split"])) for v in (before, now))
    for values in (before, now):  # a name that stands for a Python function has no place
        path = values["teacher"]["path"]
        if path and not config.teacher.is_python:
            values["teacher"]["path"] = str(path_of(path).resolve())
    changed = [name for name in now if name not in _RUN_ONLY and before[name] != now[name]]
    if changed:
        raise ConfigError(
            "a resumed run cannot change what it learns",
            where=f"--{changed[0].replace('_', '-')}",
            expected=str(before[changed[0]]),
            got=str(now[changed[0]]),
            fix="resume with the run's own options, or start a new run in another folder",
        )


def _place(word: str) -> str:
    return word if is_url(word) else str(path_of(word).resolve())
