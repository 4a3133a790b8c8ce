"""A tiny demo, which runs once for all of its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.tiny_demo import Listener, tiny_plan
from selfdepth.demo.run import Demo, run_demo


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo writes to. Not to be changed."""
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="session")
def listener() -> Listener:
    """What was announced during the demo."""
    return Listener()


@pytest.fixture(scope="session")
def demo(folder: Path, listener: Listener) -> Demo:
    return run_demo(tiny_plan(), folder, listener)
