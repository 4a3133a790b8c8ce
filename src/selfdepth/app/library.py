"""Gradio, which the page is made with: imported when it is needed, without reports to its makers."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfdepth.errors import ConfigError

_OLDEST = 6
"""Major version of gradio that the page is made for."""


@contextmanager
def quiet_gradio(files: Path) -> Iterator[Any]:
    """The module gradio, which within the block writes to one folder, and calls nobody.

    Raises:
        ConfigError: if gradio is not installed, or is too old.
    """
    require_gradio()
    chosen = {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(files),
        "GRADIO_EXAMPLES_CACHE": str(files),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    try:
        yield importlib.import_module("gradio")
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def require_gradio() -> None:
    """Refuse to go on without gradio. It is not imported for that, which takes seconds.

    Raises:
        ConfigError: if it is not installed, or is too old.
    """
    fix = "pip install 'selfdepth[app]'"
    try:
        version = importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigError("gradio is not installed, with which the page is made", fix=fix) from error
    if int(version.split(".")[0]) < _OLDEST:
        expected = f"gradio {_OLDEST} or later"
        raise ConfigError("gradio is too old for the page", expected=expected, got=version, fix=fix)
