"""Videos, moving textures and a street for the tests of data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

WriteVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def drive() -> SyntheticDrive:
    """24 frames by both cameras; other modules have drives of their own by this name."""
    return render_drive(DriveSpec(seed=2, frames=24, width=96, height=32, stereo=True, stops=False))


@pytest.fixture
def write_video() -> WriteVideo:
    """Encode RGB images as a video file."""
    return _write_video


@pytest.fixture
def moving_texture() -> Callable[..., list[ndarray]]:
    """Images of one texture that moves to the left by so many pixels a frame."""
    return _moving_texture


def _write_video(
    path: Path,
    images: Iterable[ndarray],
    *,
    fps: int = 10,
    rotation: dict[str, Any] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    images = list(images)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "10", "g": "12"})
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(**rotation)
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())
    return path


def _moving_texture(
    n: int, px_per_frame: float, *, width: int = 192, height: int = 64, period: int = 1
) -> list[ndarray]:
    """Each position is repeated `period` times, as in a video converted to a higher frame rate."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 8, 150, 3), dtype=np.uint8)
    world = Image.fromarray(noise).resize((1200, height), Image.Resampling.BICUBIC)
    boxes = [(px_per_frame * (i // period), 0, px_per_frame * (i // period) + width, height) for i in range(n)]
    return [np.asarray(world.resize((width, height), Image.Resampling.BILINEAR, box=box)) for box in boxes]
