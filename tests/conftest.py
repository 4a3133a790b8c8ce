"""What several tests share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from helpers.loopback import Loopback, serve
from selfdepth import device
from selfdepth.synthetic import drive

# Two workers with two threads each on two cores wait for each other; the arrays here are small.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_arithmetic_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether "auto" is bf16 depends on the processor; what is tested should not."""
    monkeypatch.setattr(device, "_bf16_gain_on_cpu", lambda: 0.0)


@pytest.fixture(autouse=True, scope="session")
def streets_painted_once() -> Iterator[None]:
    """What a street is painted with depends on the seed alone, and takes most of a short drive's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "paint_street", cache(drive.paint_street))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data beside the repository; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the shared data is not beside the repository")
    return folder


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Loopback]:
    """A server on this machine, and an empty cache for what comes from it."""
    monkeypatch.setenv("SELFDEPTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as known:
        yield known


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference values that travel with the tests."""
    return Path(__file__).parent / "golden"
