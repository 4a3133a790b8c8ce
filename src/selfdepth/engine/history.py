"""What resumes have changed in a run: `history.jsonl` in its folder, a line for each resume that changed something."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfdepth.config import TrainConfig, to_json
from selfdepth.device import Arithmetic
from selfdepth.engine.progress import Progress
from selfdepth.errors import OutputError, SelfDepthWarning
from selfdepth.files import whole_file

HISTORY_FILE = "history.jsonl"


def record_changes(
    folder: Path, progress: Progress, before: TrainConfig, after: TrainConfig, arithmetic: Arithmetic
) -> None:
    """Append what differs from here on, if anything does.

    Args:
        folder: of the run.
        progress: at the resume, with the arithmetic before it.
        before, after: the configuration.
        arithmetic: from here on.

    Warns:
        SelfDepthWarning: with what changes, if the file cannot be written. The run goes on all the same.
    """
    changes = _changes(to_json(before), to_json(after))
    if progress.arithmetic is not None:
        changes |= _changes(asdict(progress.arithmetic), asdict(arithmetic))
    if not changes:
        return
    line = json.dumps({"step": progress.step, "changes": changes})
    try:
        _append(folder / HISTORY_FILE, line)
    except OutputError as error:
        warnings.warn(f"what changes in the run is not recorded, {line}: {error}", SelfDepthWarning, stacklevel=2)


def _append(path: Path, line: str) -> None:
    with whole_file(path) as temporary:
        before = path.read_bytes() if path.is_file() else b""
        torn = bool(before) and not before.endswith(b"\n")  # its last line would swallow this one
        temporary.write_bytes(before + b"\n" * torn + line.encode() + b"\n")


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """By name: what was, and what is."""
    return {name: [before.get(name), after[name]] for name in after if before.get(name) != after[name]}
