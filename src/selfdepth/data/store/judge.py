"""Read the index of a store that anybody may have written: every value is judged before it is used.

Training believes a store blindly. So the kinds and ranges of all values are checked, rows follow each other, cameras
fit the size, targets exist, and nothing is allocated for frames that the file of frames does not hold.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth.data.footage import Origin
from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.data.runs import FrameRefs, NumberRuns, PaddedNames, grouped
from selfdepth.data.store.index import (
    FRAMES_FILE,
    INDEX_FILE,
    MAKE_AGAIN,
    VERSION,
    WITHOUT_CHECKSUMS,
    StoredSequence,
    is_sealed,
)
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.lens import PINHOLE, Lens
from selfdepth.limits import limit, require_within
from selfdepth.texts import parse_json, read_text

_MOST_NUMBER = 10**18
_MOST_TARGETS_PER_FRAME = 4
"""A split may list a frame more than once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoreIndex:
    """What an index says; the attributes are those of `Store`.

    Attributes:
        frames_digest: of the file of frames, as `digest_of_frames` computes it; None in a store of version 3.
        times_digest: of the file of times; None in a store that has none.
    """

    width: int
    height: int
    sequences: tuple[StoredSequence, ...]
    train: Sequence[FrameRef]
    val: Sequence[FrameRef]
    test: Sequence[FrameRef]
    kind: str
    protocol: str
    crop: Crop
    rectified: bool
    spacing: int
    origin: Origin | None
    fingerprint: str
    frames_digest: str | None
    times_digest: str | None


def read_index(folder: Path, name: str = INDEX_FILE, *, frames: str | None = FRAMES_FILE) -> StoreIndex:
    """Read and judge the index of a store. Nothing is allocated for frames that the file of frames does not hold.

    Args:
        name: of its file.
        frames: name of the file of frames; None: they lie elsewhere.

    Raises:
        DataError: for an index of another version, altered, or with a value that cannot be; for a file of frames of
            another size than the index says.
    """
    path = folder / name
    what = "the store's index cannot be read"
    text = read_text(path, what=what, fix=MAKE_AGAIN, name="json_megabytes").rstrip()
    values = parse_json(text, what=what, where=path, fix=MAKE_AGAIN)
    fields = _Fields(values, path, "")
    version = fields.whole("version", 0, _MOST_NUMBER)
    if version not in (VERSION, WITHOUT_CHECKSUMS):
        raise DataError(
            "the store was made by another version",
            where=folder,
            expected=f"format version {VERSION}",
            got=str(version),
            fix=MAKE_AGAIN,
        )
    if version == VERSION and not is_sealed(text):
        raise _unusable(path, "the checksum that was written with it", "another one: the index was altered")
    return _decode(fields, None if frames is None else folder / frames, version)


def _decode(fields: _Fields, frames: Path | None, version: int) -> StoreIndex:
    most = limit("side_pixels")
    width, height = fields.whole("width", 1, most), fields.whole("height", 1, most)
    crop = Crop(*fields.wholes("crop", 4, 0, 10**9))
    entries = [_Fields(each, fields.path, f"sequence {i}: ") for i, each in enumerate(fields.of("sequences", list))]
    runs = [each.runs("numbers", 2, _MOST_NUMBER) for each in entries]
    n_frames = sum(count for each in runs for _, count in each)
    require_within("store_frames", n_frames, what="the store has too many frames", where=fields.path)
    if frames is not None:
        _require_size(frames, n_frames, width, height)
    # Stores that were made before lenses were known have no such field.
    rectified = fields.of("rectified", bool) if "rectified" in fields.values else False
    fit = CropResize(width=width, height=height, crop=crop, rectify=rectified)
    camera_of = functools.cache(fit.camera)  # most drives have one camera
    sequences: list[StoredSequence] = []
    for entry, numbers in zip(entries, runs, strict=True):
        start = sequences[-1].start + len(sequences[-1].numbers) if sequences else 0
        sequences.append(_sequence(entry, numbers, start, camera_of))
    by_name = {sequence.name: sequence for sequence in sequences}
    if len(by_name) < len(sequences):
        raise fields.wrong("sequences", "every name once", "a name twice")
    for sequence in sequences:
        partner = sequence.partner and sequence.partner.sequence
        if partner is not None and (partner == sequence.name or partner not in by_name):
            raise fields.wrong("partner", f"another sequence of the store for {sequence.name}", "none of that name")
    parts = {part: _refs(fields, part, sequences, n_frames) for part in ("train", "val", "test")}
    origin = fields.of("origin", dict, None)
    return StoreIndex(
        width=width,
        height=height,
        sequences=tuple(sequences),
        kind=fields.of("kind", str),
        protocol=fields.of("protocol", str),
        crop=crop,
        rectified=rectified,
        spacing=fields.whole("spacing", 1, 10**9),
        origin=None if origin is None else _origin(_Fields(origin, fields.path, "origin: ")),
        fingerprint=fields.of("fingerprint", str),
        frames_digest=fields.of("frames_sha256", str, None) if version == VERSION else None,
        # Stores that were made before times were kept have no such field.
        times_digest=fields.of("times_sha256", str, None) if "times_sha256" in fields.values else None,
        **parts,
    )


def _sequence(
    entry: _Fields, runs: list[tuple[int, int]], start: int, camera_of: Callable[[Camera], Camera]
) -> StoredSequence:
    if entry.whole("start", 0, _MOST_NUMBER) != start:
        raise entry.wrong("start", f"row {start}, the end of the sequence before", str(entry.values["start"]))
    if any(first <= before + n - 1 for (before, n), (first, _) in itertools.pairwise(runs)):
        raise entry.wrong("numbers", "increasing frame numbers", "numbers that go back")
    numbers = NumberRuns(*np.array(runs, np.int64).reshape(-1, 2).T)
    camera = _camera(_Fields(entry.of("camera", dict), entry.path, f"{entry.place}camera: "))
    try:
        stored = camera_of(camera)
    except DataError as error:
        raise entry.wrong("camera", "a camera that the crop leaves something of", error.got or error.what) from error
    rows = [entry.finite(row, "K", 3) for row in entry.of("K", list)]
    if len(rows) != 3 or not _are_close(rows, stored.matrix().tolist()):
        raise entry.wrong("K", "the camera's, cropped and resized or rectified", json.dumps(rows)[:120])
    partner = entry.of("partner", dict, None)
    return StoredSequence(
        name=entry.of("name", str),
        start=start,
        numbers=numbers,
        names=_names(entry, numbers),
        camera=camera,
        stored_camera=stored,
        K=np.array(rows, np.float64),
        partner=None if partner is None else _partner(_Fields(partner, entry.path, f"{entry.place}partner: ")),
    )


def _names(entry: _Fields, numbers: NumberRuns) -> Sequence[str]:
    names = entry.of("names", int, list)
    if isinstance(names, int):
        return PaddedNames(numbers, entry.whole("names", 1, 255))
    if len(names) != len(numbers) or not all(isinstance(name, str) for name in names):
        raise entry.wrong("names", f"{len(numbers)} texts, one for each frame", f"{len(names)} values")
    return tuple(names)


def _are_close(rows: list[list[float]], expected: list[list[float]]) -> bool:
    # As numpy.allclose, which takes longer for nine numbers than all else that is judged of a sequence.
    pairs = zip(itertools.chain(*rows), itertools.chain(*expected), strict=True)
    return all(abs(a - b) <= 1e-6 + 1e-6 * abs(b) for a, b in pairs)


def _camera(fields: _Fields) -> Camera:
    fx, fy, cx, cy = (fields.finite([fields.of(name, int, float)], name, 1)[0] for name in ("fx", "fy", "cx", "cy"))
    width, height = (fields.whole(name, 1, 10**6) for name in ("width", "height"))
    try:
        return Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height, lens=_lens(fields))
    except DataError as error:
        raise fields.wrong("fx, fy, cx, cy", error.expected or "a camera", error.got or "none") from error


def _lens(fields: _Fields) -> Lens:
    if "lens" not in fields.values:
        return PINHOLE
    try:
        return Lens.from_json(fields.of("lens", dict))
    except (DataError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise fields.wrong("lens", "a model and its coefficients", str(error)[:60]) from error


def _partner(fields: _Fields) -> StereoPartner:
    x, y, z = fields.finite(fields.of("translation_m", list), "translation_m", 3)
    return StereoPartner(sequence=fields.of("sequence", str), translation_m=(x, y, z))


def _origin(fields: _Fields) -> Origin:
    split = fields.of("split", str, None)
    return Origin(
        path=Path(fields.of("path", str)),
        split=None if split is None else Path(split),
        camera=fields.of("camera", str, None),
        auto=fields.of("auto", bool),
        # Stores that were made before there was a choice of streams, or of topics, do not name any.
        stream=fields.of("stream", int, None) if "stream" in fields.values else None,
        topic=fields.of("topic", str, None) if "topic" in fields.values else None,
    )


def _refs(fields: _Fields, part: str, sequences: Sequence[StoredSequence], n_frames: int) -> FrameRefs:
    runs = fields.runs(part, 3, _MOST_NUMBER)
    if sum(count for *_, count in runs) > _MOST_TARGETS_PER_FRAME * n_frames:
        raise fields.wrong(part, f"targets among {n_frames} frames", "many times as many")
    which, firsts, counts = np.array(runs, np.int64).reshape(-1, 3).T
    if len(which) and which.max() >= len(sequences):
        raise fields.wrong(part, f"sequences 0 to {len(sequences) - 1}", str(which.max()))
    for place, indices in grouped(which):
        first, last = firsts[indices], firsts[indices] + counts[indices] - 1
        row, last_row = sequences[place].rows(np.stack([first, last]))
        bad = np.flatnonzero((row < 0) | (last_row - row != last - first))
        if len(bad):
            raise fields.wrong(part, f"frames of {sequences[place].name}", f"{first[bad[0]]} to {last[bad[0]]}")
    return FrameRefs(tuple(sequence.name for sequence in sequences), which, firsts, counts)


def _require_size(path: Path, n_frames: int, width: int, height: int) -> None:
    expected = n_frames * 3 * height * width
    got = path.stat().st_size if path.is_file() else 0
    if got != expected or not n_frames:
        raise DataError(
            "the store's frames are incomplete",
            where=path,
            expected=f"{expected} bytes ({n_frames} frames of {width}x{height})",
            got=f"{got} bytes",
            fix=MAKE_AGAIN,
        )


@dataclass(frozen=True)
class _Fields:
    """The fields of an object of the index, each asked for with its kind.

    Attributes:
        values: the JSON value.
        path: the file, for errors.
        place: where in the file, for errors.
    """

    values: Any
    path: Path
    place: str

    def of(self, name: str, *kinds: type | None) -> Any:
        """The field, which is of one of these kinds; None stands for null."""
        if not isinstance(self.values, Mapping) or name not in self.values:
            raise self.wrong(name, "a value", "none")
        value = self.values[name]
        # In Python a bool is an int: `true` would pass as 1.
        fits = type(value) in kinds or (value is None and None in kinds)
        if not fits:
            words = " or ".join("null" if kind is None else kind.__name__ for kind in kinds)
            raise self.wrong(name, words, f"{type(value).__name__} {str(value)[:60]}")
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        """A field that is a whole number in a range."""
        value: int = self.of(name, int)
        if not least <= value <= most:
            raise self.wrong(name, f"a number from {least} to {most}", str(value))
        return value

    def wholes(self, name: str, count: int, least: int, most: int) -> list[int]:
        """A field that is a list of so many whole numbers in a range."""
        values: list[Any] = self.of(name, list)
        if len(values) != count or not all(type(value) is int and least <= value <= most for value in values):
            raise self.wrong(name, f"{count} whole numbers", str(values)[:60])
        return values

    def runs(self, name: str, length: int, most: int) -> list[Any]:
        """A field that is a list of runs: so many whole numbers from 0, whose last one, a count, is above 0."""
        for run in self.of(name, list):
            whole = type(run) is list and len(run) == length and all(type(n) is int and 0 <= n <= most for n in run)
            if not whole or run[-1] < 1:
                raise self.wrong(name, f"lists of {length} whole numbers, the last one a count", str(run)[:60])
        return [tuple(run) for run in self.values[name]]

    def finite(self, values: Any, name: str, count: int) -> list[float]:
        """Values that are so many finite numbers."""
        good = type(values) is list and len(values) == count
        if not good or not all(type(value) in (int, float) and math.isfinite(value) for value in values):
            raise self.wrong(name, f"{count} finite numbers", str(values)[:60])
        return [float(value) for value in values]

    def wrong(self, name: str, expected: str, got: str) -> DataError:
        """The error for a field."""
        return _unusable(self.path, f"{self.place}{name}: {expected}", got)


def _unusable(path: Path, expected: str, got: str) -> DataError:
    return DataError("the store's index cannot be used", where=path, expected=expected, got=got, fix=MAKE_AGAIN)
