"""Footage for tests: frames computed from their number, with a small file beside each for the fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.geometry.camera import Camera

WIDTH, HEIGHT = 80, 48


def pixels(name: str, number: int) -> ndarray:
    """The frame `number` of the sequence `name`, unlike any other."""
    rng = np.random.default_rng([number, *name.encode()])
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class MemorySequence(FrameSequence):
    """Computes frames; at `fails_at`, if that is set, raises `error` or, without one, just ends."""

    fails_at: int | None = None
    error: BaseException | type[BaseException] | None = KeyboardInterrupt

    def read(self, numbers: tuple[int, ...]) -> Iterator[ndarray]:
        for number in numbers:
            if number == self.fails_at:
                if self.error is None:
                    return
                raise self.error
            yield pixels(self.name, number)


def sequence(
    folder: Path,
    name: str = "drive",
    numbers: tuple[int, ...] = tuple(range(20)),
    *,
    video: bool = False,
    focal_px: float = 60.0,
    fails_at: int | None = None,
    error: BaseException | type[BaseException] | None = KeyboardInterrupt,
) -> MemorySequence:
    """A sequence with one file per frame, or one for all."""
    folder.mkdir(exist_ok=True)
    stems = ["video"] if video else [f"{number:03d}" for number in numbers]
    files = tuple(folder / stem for stem in stems)
    for file in files:
        if not file.exists():
            file.write_text("frame")
    return MemorySequence(
        name=name,
        camera=Camera(fx=focal_px, fy=focal_px, cx=39.5, cy=23.0, width=WIDTH, height=HEIGHT),
        numbers=numbers,
        names=tuple(str(number) for number in numbers) if video else tuple(file.stem for file in files),
        files=files,
        fails_at=fails_at,
        error=error,
    )


def footage(*sequences: FrameSequence, n_val: int = 2) -> Footage:
    """All frames as targets: the last `n_val` of each sequence for validation."""
    refs = [[FrameRef(item.name, number) for number in item.numbers] for item in sequences]
    return Footage(
        kind="folder",
        sequences=sequences,
        train=tuple(ref for group in refs for ref in group[: len(group) - n_val]),
        val=tuple(ref for group in refs for ref in group[len(group) - n_val :]),
        protocol="eigen",
    )
