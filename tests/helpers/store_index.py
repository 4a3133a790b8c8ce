"""Change the index of a store as somebody would who knows how it is sealed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfdepth.data.store.index import INDEX_FILE, sealed


def rewrite_index(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the values of an index, and seal it again."""
    path = folder / INDEX_FILE
    values = json.loads(path.read_text())
    values.pop("sha256", None)
    change(values)
    path.write_text(sealed(json.dumps(values)))


def as_version_3(folder: Path) -> None:
    """Make an index what the version before would have written: without checksums."""
    path = folder / INDEX_FILE
    values = json.loads(path.read_text())
    del values["sha256"], values["frames_sha256"]
    path.write_text(json.dumps({**values, "version": 3}))
