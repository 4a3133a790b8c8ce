"""What resumes have changed in a run: `history.jsonl` in its folder, a line for each resume that changed something."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfdepth.config import TrainConfig, to_json
from selfdepth.device import Arithmetic
from selfdepth.engine.progress import Progress
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

    Raises:
        OutputError: if the file cannot be written.
    """
    changes = _changes(to_json(before), to_json(after))
    if progress.arithmetic is not None:
        changes |= _changes(asdict(progress.arithmetic), asdict(arithmetic))
    if not changes:
        return
    path = folder / HISTORY_FILE
    line = json.dumps({"step": progress.step, "changes": changes}) + "\n"
    with whole_file(path) as temporary:
        temporary.write_bytes((path.read_bytes() if path.is_file() else b"") + line.encode())


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """By name: what was, and what is."""
    return {name: [before.get(name), after[name]] for name in after if before.get(name) != after[name]}
