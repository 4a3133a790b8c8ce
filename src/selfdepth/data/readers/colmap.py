"""COLMAP's cameras.txt: a line for each camera with its number, model, width, height and parameters.

COLMAP counts pixels from the outer corner of the image: its first pixel's centre lies at (0.5, 0.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from selfdepth.data.readers.camera_entries import number_of, whole_of
from selfdepth.data.readers.naming import naming
from selfdepth.data.readers.stated_cameras import CameraFile
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import NAMES, Lens, LensModel
from selfdepth.limits import require_within

CORNER_TO_CENTRE_PX = -0.5
"""What to add to a principal point that is counted from the corner of the first pixel."""
_BROWN, _FISHEYE = NAMES["brown"], NAMES["kannala-brandt"]
COLMAP_LENSES: dict[str, tuple[LensModel, tuple[str, ...]]] = {
    "SIMPLE_PINHOLE": ("pinhole", ()),
    "PINHOLE": ("pinhole", ()),
    "SIMPLE_RADIAL": ("brown", ("k1",)),
    "RADIAL": ("brown", ("k1", "k2")),
    "OPENCV": ("brown", _BROWN[:4]),
    "FULL_OPENCV": ("brown", _BROWN),
    "SIMPLE_FISHEYE": ("kannala-brandt", ()),
    "FISHEYE": ("kannala-brandt", ()),
    "SIMPLE_RADIAL_FISHEYE": ("kannala-brandt", _FISHEYE[:1]),
    "RADIAL_FISHEYE": ("kannala-brandt", _FISHEYE[:2]),
    "OPENCV_FISHEYE": ("kannala-brandt", _FISHEYE),
}
"""COLMAP's models that are read: the lens, and its coefficients in their order. THIN_PRISM_FISHEYE, FOV and others are
not."""
_SQUARE = re.compile("SIMPLE_.*|RADIAL.*")
"""Models with one focal length."""
_LINE = re.compile(r"[0-9]{1,9}[ \t]+[A-Z][A-Z0-9_]*([ \t]|$)")


def is_colmap(text: str) -> bool:
    """Whether a text is a cameras.txt, by its first line that is no comment."""
    line = next((line for line in map(str.strip, text.splitlines()) if line and line[0] != "#"), "")
    return bool(_LINE.match(line))


def cameras_in_colmap(text: str, path: Path) -> dict[str, Callable[[], CameraFile]]:
    """Readers of the cameras by their numbers.

    Raises:
        DataError: for a file that is too large or names a number twice; the readers, for a model that is not read, and
            for a line that is not valid.
    """
    require_within("yaml_kilobytes", len(text) / 1000, what="the camera file is too large", where=path)
    cameras: dict[str, Callable[[], CameraFile]] = {}
    for at, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line[0] == "#":
            continue
        name, *words = line.split()
        if name in cameras:
            raise DataError("the camera file has two cameras of one number", where=f"{path}, line {at}", got=name[:20])
        cameras[name] = _reader(words, path, at)
    return cameras


def refuse_model(model: str, where: str) -> DataError:
    """The error for a model that is not in `COLMAP_LENSES`."""
    return DataError(
        "the lens model is not known",
        where=where,
        expected=", ".join(COLMAP_LENSES),
        got=model[:40],
        fix="reconstruct with one of these, or undistort the frames and give the camera of the undistorted ones",
    )


def _reader(words: list[str], path: Path, line: int) -> Callable[[], CameraFile]:
    def read() -> CameraFile:
        where = f"{path}, line {line}"
        model = words[0] if words else ""
        if model not in COLMAP_LENSES:
            raise refuse_model(model, where)
        lens, names = COLMAP_LENSES[model]
        focal = ("f",) if _SQUARE.fullmatch(model) else ("fx", "fy")
        order = (*focal, "cx", "cy", *names)
        if len(words) != 3 + len(order):
            raise DataError(
                f"a camera of the model {model} has other parameters",
                where=where,
                expected=f"{len(order)} after width and height: {', '.join(order)}",
                got=str(max(0, len(words) - 3)),
            )
        width, height = (whole_of(word, where) for word in words[1:3])
        numbers = [number_of(word, where) for word in words[3:]]
        fx, fy = numbers[0], numbers[len(focal) - 1]
        cx, cy = (number + CORNER_TO_CENTRE_PX for number in numbers[len(focal) : len(focal) + 2])
        with naming(where):
            coefficients = tuple(numbers[len(focal) + 2 :])
            camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height, lens=Lens(lens, coefficients))
        return CameraFile(camera=camera, sensor_size=(width, height))

    return read
