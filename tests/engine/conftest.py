"""Tiny runs: a moving texture in a few small images, and networks that a processor trains in a blink."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.engine.setup import Run
from selfdepth.engine.train import train

N_FRAMES, SIZE = 24, 64


@pytest.fixture(scope="session")
def frames_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images of a texture that moves to the left."""
    folder = tmp_path_factory.mktemp("drive")
    noise = np.random.default_rng(0).integers(0, 255, (16, 48, 3), dtype=np.uint8)
    world = Image.fromarray(noise).resize((192, SIZE), Image.Resampling.BICUBIC)
    for number in range(N_FRAMES):
        left = 3 * number
        world.crop((left, 0, left + SIZE, SIZE)).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def tiny(frames_folder: Path) -> TrainConfig:
    """Four steps of two clips."""
    return TrainConfig(
        data=str(frames_folder),
        camera="fov:60",
        width=SIZE,
        encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
        batch_size=2,
        steps=4,
        save_every=2,
        device="cpu",
        precision="fp32",
        compile=False,
    )


@pytest.fixture(scope="session")
def whole_run(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four steps, uninterrupted. Tests read it only."""
    return train(tiny, tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="session")
def make_half_run(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Copies of a run of four steps that was stopped after two."""
    original = tmp_path_factory.mktemp("half") / "run"

    def make() -> Path:
        if not original.exists():
            train(replace(tiny, steps=2), original)
        return shutil.copytree(original, tmp_path_factory.mktemp("runs") / "half")

    return make


class Ear:
    """A watcher that remembers what it was told, and may act at each logged step."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.at_step: Callable[[], None] | None = None

    def frames(self, done: int, total: int) -> None:
        """Decoding goes on."""

    def maps(self, done: int, total: int) -> None:
        """The teacher is asked."""

    def step(self, report: object) -> None:
        """A step was logged."""
        if self.at_step is not None:
            self.at_step()

    def say(self, text: str) -> None:
        """A sentence."""
        self.said.append(text)


@pytest.fixture
def ear() -> Ear:
    """Remembers the sentences of a run."""
    return Ear()
