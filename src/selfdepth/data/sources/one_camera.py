"""One camera text for several sequences: whether it can be the camera of all of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import any_camera, in_pixels, is_camera_file
from selfdepth.errors import DataError, SelfDepthWarning

MAX_SQUEEZE = 1.1
"""Factor between the aspects of two sequences up to which a store's one size hardly squeezes them."""


def require_one_camera(spec: str | None, sequences: Iterable[FrameSequence], path: Path) -> None:
    """Refuse one camera for sequences that cannot have the same one.

    Pixels are those of one size. Degrees across the width are another angle in frames of another aspect. A file states
    its size, and is scaled, to frames of its aspect only. Without a camera, 60 degrees are assumed for each sequence;
    of frames upright and lying on their side, at most one can have them.

    Args:
        spec: as `parse_camera` reads it.
        path: of the data, for the error.

    Raises:
        DataError: naming two sequences, their sizes, and what to give.
    """
    first_of: dict[tuple[int, int], str] = {}
    for sequence in sequences:
        first_of.setdefault((sequence.camera.width, sequence.camera.height), sequence.name)
    if len(first_of) < 2 or is_camera_file(spec):
        return
    sizes = list(first_of)
    pixels = in_pixels(spec)
    unlike = next((size for size in sizes[1:] if pixels or not _alike(sizes[0], size)), None)
    if unlike is None:
        return
    names = f"{_text(sizes[0])} ({first_of[sizes[0]]}) and {_text(unlike)} ({first_of[unlike]})"
    if spec is None and (sizes[0][0] > sizes[0][1]) == (unlike[0] > unlike[1]):
        warnings.warn(
            f"{path} has frames of unlike shapes, {names}: all are squeezed to one, and one field of view is assumed "
            "for all; train on each shape alone if they are of different cameras",
            SelfDepthWarning,
            stacklevel=3,
        )
        return
    unit = "in pixels" if pixels else "in degrees" if spec else "with an assumed field of view"
    raise DataError(
        f"one camera {unit} cannot be that of all frames",
        where=path if spec is None else f"--camera {spec}",
        expected="frames of one size" if pixels else "frames of one shape",
        got=names,
        fix="give the frames of each size as data of their own"
        + (", or a YAML file, which states the size that it refers to and is scaled" if pixels else ""),
    )


def _alike(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two sizes have the same aspect, but for rounding when one was scaled."""
    if any_camera(*a).has_aspect_of(*b):
        return True
    factor = (a[0] / a[1]) / (b[0] / b[1])
    return max(factor, 1 / factor) <= MAX_SQUEEZE and (a[0] > a[1]) == (b[0] > b[1])


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
