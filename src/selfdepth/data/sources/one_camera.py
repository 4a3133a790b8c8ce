"""One camera text for several sequences: whether it can be the camera of all of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import any_camera, in_pixels, is_camera_file
from selfdepth.errors import DataError, SelfDepthWarning

Size = tuple[int, int]
"""(width, height) in pixels."""
MAX_SQUEEZE = 1.1
"""Factor between the aspects of two sequences up to which a store's one size hardly squeezes them."""


def require_one_camera(spec: str | None, sequences: Iterable[FrameSequence], path: Path) -> None:
    """Refuse one camera for sequences that cannot have the same one.

    Without a camera, 60 degrees are assumed for each sequence; of frames upright and lying on their side, at most one
    can have them.

    Args:
        spec: as `parse_camera` reads it.
        path: of the data, for the error.

    Raises:
        DataError: as `require_camera_of_sizes`.

    Warns:
        SelfDepthWarning: if frames of several sizes are scaled, or squeezed, to one.
    """
    first_of: dict[Size, str] = {}
    for sequence in sequences:
        first_of.setdefault((sequence.camera.width, sequence.camera.height), sequence.name)
    if len(first_of) < 2:
        return
    unlike = None if is_camera_file(spec) else _unlike(spec, first_of)
    if unlike is None:
        _warn(
            f"{path} has frames of several sizes, {_names(first_of, list(first_of)[:2])}: all are scaled to one; give "
            "one folder alone if they are the same frames"
        )
    elif spec is None and (unlike[0][0] > unlike[0][1]) == (unlike[1][0] > unlike[1][1]):
        _warn(
            f"{path} has frames of unlike shapes, {_names(first_of, unlike)}: all are squeezed to one, and one field "
            "of view is assumed for all; train on each shape alone if they are of different cameras"
        )
    else:
        raise _refusal(spec, first_of, unlike, path if spec is None else f"--camera {spec}")


def require_camera_of_sizes(spec: str, first_of: Mapping[Size, str]) -> None:
    """Refuse one camera for frames of sizes that cannot have the same one.

    Pixels are those of one size. Degrees across the width are another angle in frames of another aspect. A file states
    its size, and is scaled, to frames of its aspect only.

    Args:
        spec: as `parse_camera` reads it.
        first_of: the name of a sequence or frame of each size.

    Raises:
        DataError: naming two of them, their sizes, and what to give.
    """
    unlike = None if is_camera_file(spec) else _unlike(spec, first_of)
    if unlike is not None:
        raise _refusal(spec, first_of, unlike, f"--camera {spec}")


def _unlike(spec: str | None, first_of: Mapping[Size, str]) -> list[Size] | None:
    """The first size and one that cannot have its camera."""
    first, *others = first_of
    return next(([first, size] for size in others if in_pixels(spec) or not _alike(first, size)), None)


def _refusal(spec: str | None, first_of: Mapping[Size, str], unlike: list[Size], where: Path | str) -> DataError:
    pixels = in_pixels(spec)
    unit = "in pixels" if pixels else "in degrees" if spec else "with an assumed field of view"
    return DataError(
        f"one camera {unit} cannot be that of all frames",
        where=where,
        expected="frames of one size" if pixels else "frames of one shape",
        got=_names(first_of, unlike),
        fix="give the frames of each size on their own"
        + (", or a calibration file, which states the size that it refers to and is scaled" if pixels else ""),
    )


def _names(first_of: Mapping[Size, str], sizes: list[Size]) -> str:
    return " and ".join(f"{width}x{height} ({first_of[width, height]})" for width, height in sizes)


def _warn(sentence: str) -> None:
    warnings.warn(sentence, SelfDepthWarning, stacklevel=4)


def _alike(a: Size, b: Size) -> bool:
    """Whether two sizes have the same aspect, but for rounding when one was scaled."""
    if any_camera(*a).has_aspect_of(*b):
        return True
    factor = (a[0] / a[1]) / (b[0] / b[1])
    return max(factor, 1 / factor) <= MAX_SQUEEZE and (a[0] > a[1]) == (b[0] > b[1])
