"""One demo, from nothing to a report, on drives small enough for a test."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from helpers.models import TINY as TINY_ENCODERS
from selfdepth.config import TrainConfig
from selfdepth.demo.run import Demo, DemoPlan, run_demo
from selfdepth.engine.watch import Silent
from selfdepth.synthetic.drive import DriveSpec

TINY = TrainConfig(
    width=64,
    height=64,
    encoder=TINY_ENCODERS,
    batch_size=2,
    steps=3,
    save_every=2,
    compile=False,
    device="cpu",
)


class Listener(Silent):
    """Remembers what it was told; asks to stop at a step, if it is given one."""

    def __init__(self, stop_in_stage: str = "") -> None:
        self.stages: list[str] = []
        self.rendered: list[tuple[int, int]] = []
        self._stop_in_stage = stop_in_stage

    def rendering(self, done: int, total: int) -> None:
        self.rendered.append((done, total))

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def say(self, text: str) -> None:
        if self._stop_in_stage and self.stages[-1] == self._stop_in_stage:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def plan() -> DemoPlan:
    """Twelve frames to learn from and eight to be judged by."""
    return DemoPlan(
        train=(DriveSpec(seed=2, frames=12, width=80, height=64),),
        held_out=DriveSpec(seed=1, frames=8, width=80, height=64),
        config=TINY,
        val_every=2,
        n_views=2,
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo is written."""
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="session")
def listener() -> Listener:
    """Who looked on at the demo."""
    return Listener()


@pytest.fixture(scope="session")
def done(folder: Path, listener: Listener, plan: DemoPlan) -> Demo:
    """The demo that ran. Tests read its folder only."""
    return run_demo(plan, folder, listener)


@pytest.fixture
def make_listener() -> type[Listener]:
    """Others who look on."""
    return Listener
