"""What is measured on: rendered street frames as JPEG files of KITTI's size, so that nobody needs data."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from measuring import Setting
from selfdepth.data.footage import Footage
from selfdepth.data.sources.recognise import recognise
from selfdepth.synthetic.drive import DriveSpec, render_drive

CAMERA = "fov:80"
_RENDERED = 6
_JPEG_QUALITY = 85
"""Gives rendered frames about the 100 KB that KITTI's have as JPEG."""


def write_street(folder: Path, setting: Setting) -> list[Path]:
    """JPEG files of consecutive frames: a few are rendered, then shown forwards and backwards again and again."""
    folder.mkdir(parents=True)
    n = min(_RENDERED, setting.n_frames)
    spec = DriveSpec(frames=n, width=setting.image_width, height=setting.image_height)
    rendered = []
    for number, image in enumerate(render_drive(spec).images):
        rendered.append(folder / f"{number:06d}.jpg")
        Image.fromarray(image).save(rendered[-1], quality=_JPEG_QUALITY)
    files = list(rendered)
    for number in range(n, setting.n_frames):
        swing = number % (2 * n - 2)
        files.append(folder / f"{number:06d}.jpg")
        shutil.copyfile(rendered[min(swing, 2 * n - 2 - swing)], files[-1])
    return files


def street_footage(folder: Path) -> Footage:
    """The files as selfdepth sees them."""
    return recognise(folder).footage(camera=CAMERA)
