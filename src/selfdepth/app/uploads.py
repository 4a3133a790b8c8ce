"""What visitors give: taken into their own folder under a harmless name, judged before it is decoded, and opened."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.readers.file_kinds import READ_IMAGES, file_kind, is_image
from selfdepth.data.readers.pictures import image_size
from selfdepth.errors import ConfigError, DataError
from selfdepth.files import rename, writing_to
from selfdepth.inference.inputs import PredictionInput, open_inputs
from selfdepth.limits import require_within

_UNSAFE = re.compile(r"[^\w.+=,@-]+")
_LONGEST_STEM, _LONGEST_SUFFIX = 60, 8
"""Characters of the name of a file, which results are named after."""
_LONGEST_NUMBER = 20
FOV_RANGE_DEG = (5.0, 170.0)
"""Horizontal fields of view of pinhole cameras that are believed."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A photo or a video of a visitor.

    Attributes:
        path: in the visitor's own folder.
        source: its frames.
        is_video: whether it is a video.
    """

    path: Path
    source: PredictionInput
    is_video: bool


def safe_name(name: str) -> str:
    """A name that every file system and every page take, as like the visitor's as possible: of path-like names the
    last part. It is never hidden, and never empty."""
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem = _UNSAFE.sub("_", stem).strip("._ ")[:_LONGEST_STEM] or "upload"
    suffix = _UNSAFE.sub("", suffix)[:_LONGEST_SUFFIX]
    return f"{stem}.{suffix}" if suffix else stem


def take(given: Path, folder: Path) -> Path:
    """Move a file that has arrived into a visitor's folder.

    Raises:
        DataError: if it is gone, or too large.
        OutputError: if the folder cannot be written to.
    """
    if not given.is_file():
        raise DataError("the file has not arrived", where=safe_name(given.name), fix="drop it once more")
    require_within(
        "app_megabytes", given.stat().st_size / 1e6, what="the file is too large", where=safe_name(given.name)
    )
    path = folder / safe_name(given.name)
    with writing_to(path):
        rename(given, path)
    return path


def fov_of(text: str) -> float | None:
    """The horizontal field of view, in degrees, that a visitor has typed; None for nothing.

    Raises:
        ConfigError: for anything else than a number that a pinhole camera can have.
    """
    words = text.strip().rstrip("°").strip()
    if not words:
        return None
    try:
        fov_deg = float(words[:_LONGEST_NUMBER].replace(",", "."))
    except ValueError:
        fov_deg = math.nan
    if not FOV_RANGE_DEG[0] <= fov_deg <= FOV_RANGE_DEG[1]:
        expected = f"{FOV_RANGE_DEG[0]:g} to {FOV_RANGE_DEG[1]:g} degrees, or nothing"
        raise ConfigError("no such field of view", expected=expected, got=words[:_LONGEST_NUMBER])
    return fov_deg


def open_upload(path: Path, *, fov_deg: float | None) -> Upload:
    """Open a photo or a video.

    Args:
        path: in the visitor's own folder.
        fov_deg: the horizontal field of view of its camera, in degrees; None: unknown.

    Raises:
        DataError: for any other file, one that is damaged, or one that is larger or longer than the page takes.
    """
    is_video = _is_video(path)
    if not is_video:
        width, height = image_size(path)
        require_within("app_megapixels", width * height / 1e6, what="the photo is too large for this page", where=path)
    (source,) = open_inputs((str(path),), camera=None if fov_deg is None else f"fov:{fov_deg:g}")
    if is_video:
        _require_short(source, path)
    return Upload(path=path, source=source, is_video=is_video)


def _is_video(path: Path) -> bool:
    """Whether a file is to be opened as a video; else it is a photo.

    Raises:
        DataError: for what is known to be neither.
    """
    kind = file_kind(path)
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=path, expected="a photo or a video")
    if kind is not None and kind.role == "other":
        raise DataError(
            "this is neither a photo nor a video that can be read",
            where=path,
            expected=f"{READ_IMAGES}; MP4, MOV, MKV, WebM, AVI and others",
            got=kind.name,
            fix=kind.fix if kind.fix is not None and kind.fix.startswith(("convert", "develop")) else None,
        )
    return not is_image(path)


def _require_short(source: PredictionInput, path: Path) -> None:
    count, times = len(source.names), source.times_s
    seconds = count / float(source.rate) if times is None else times[-1] - times[0]
    require_within("app_seconds", seconds, what="the video is too long for this page", where=path)
    require_within("app_frames", count, what="the video has too many frames for this page", where=path)
