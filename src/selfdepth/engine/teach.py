"""The teacher of a run: asked once, before the first step, and the same after a resume."""

from __future__ import annotations

import json
from pathlib import Path

from selfdepth.data.store.build import Progress
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import Targets, TeacherMaps, open_or_make, record_of
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.files import whole_file
from selfdepth.teachers.teacher import Teacher
from selfdepth.texts import read_json

RECORD_FILE = "teacher.json"
"""In the run folder: what its teacher is, and on which frames it was asked."""


def ask_teacher(
    teacher: Teacher | None, store: Store, folder: Path, *, resume: bool, progress: Progress | None = None
) -> TeacherMaps | None:
    """The teacher's maps of the training targets, made if they are not beside the frames; None without a teacher.

    Args:
        folder: the run folder, which holds a record of the teacher once the run has started: see `record_teacher`.
        progress: called with (maps done, maps in total) while they are made.

    Raises:
        ConfigError: for a resumed run whose teacher has changed since.
        SelfDepthError: for a teacher or a map that cannot be used, or a store that cannot be written.
    """
    if teacher is None:
        return None
    targets = Targets.of(store)
    record = record_of(store, teacher.identity(targets))
    if resume:
        _check_unchanged(folder, record)
    return open_or_make(store, record, lambda start: teacher.disparities(store, targets, start), progress)


def record_teacher(maps: TeacherMaps, folder: Path) -> None:
    """Write into the folder of a new run which teacher gave its maps. Its configuration is there already: without one,
    the record would be taken for a stranger's when the run starts again after a kill.

    Raises:
        OutputError: if it cannot be written.
    """
    with whole_file(folder / RECORD_FILE) as path:
        path.write_text(json.dumps(maps.record, indent=2) + "\n", encoding="utf-8")


def _check_unchanged(folder: Path, record: dict[str, object]) -> None:
    path = folder / RECORD_FILE
    what = "the record of the run's teacher cannot be read"
    before = read_json(path, what=what, fix="start a new run in another folder", error=CheckpointError)
    changed = [name for name in record if before.get(name) != record[name]]
    if changed:
        raise ConfigError(
            "a resumed run cannot change its teacher, and that of this run has changed since",
            where="--teacher.path",
            expected=f"{changed[0]} {json.dumps(before.get(changed[0]))}",
            got=json.dumps(record[changed[0]]),
            fix="bring back the files with which it started, with their times, or start a new run in another folder",
        )
