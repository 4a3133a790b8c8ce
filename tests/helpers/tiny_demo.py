"""A demo small enough for a test."""

from __future__ import annotations

import signal

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.demo.run import DemoPlan
from selfdepth.engine.watch import Silent
from selfdepth.synthetic.drive import DriveSpec

TINY = TrainConfig(
    width=64,
    height=64,
    encoder=EncoderConfig(name="mobilenetv3_small_050", pose_name="mobilenetv3_small_050", pretrained=False),
    batch_size=2,
    steps=3,
    save_every=2,
    compile=False,
    device="cpu",
)


class Listener(Silent):
    """Remembers what it was told; interrupts the process in a stage, if it is given one."""

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


def tiny_plan() -> DemoPlan:
    """Three steps on 12 frames, and 8 frames of another street."""
    return DemoPlan(
        train=DriveSpec(seed=0, frames=12, width=80, height=64),
        held_out=DriveSpec(seed=1, frames=8, width=80, height=64),
        config=TINY,
        val_every=2,
        n_views=2,
    )
