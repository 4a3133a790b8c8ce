"""Ground truth beside chunks: the maps of the validation frames, each an object that is named by its SHA-256.

A map is kept bit for bit, compressed. It is read when it is asked for, and nothing of it stays on the disk.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple, get_args

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.store.remote import Remote
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import ConfigError, DataError, TrainingError
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.limits import limit

_HEAD = struct.Struct("<8sIII")
"""What comes before the compressed values: these letters, height, width, and the bytes of a value."""
_MAGIC = b"SDTRUTH1"
_NAME = re.compile(r"truth-([0-9a-f]{64})\.bin")


class TruthObject(NamedTuple):
    """A frame's map: its object's SHA-256 and bytes, and along what its depth is."""

    digest: str
    n_bytes: int
    depth_is: DepthIs

    @property
    def name(self) -> str:
        """Of the object."""
        return f"truth-{self.digest}.bin"


def is_truth_name(name: str) -> bool:
    """Whether an object of this name holds a map."""
    return _NAME.fullmatch(name) is not None


def encode_map(depth: Float[ndarray, "h w"], depth_is: DepthIs) -> tuple[TruthObject, bytes]:
    """A map as an object, and its content."""
    values = np.ascontiguousarray(depth, dtype=f"<f{depth.dtype.itemsize}")
    content = _HEAD.pack(_MAGIC, *values.shape, values.dtype.itemsize) + zlib.compress(values.tobytes())
    return TruthObject(sha256(content).hexdigest(), len(content), depth_is), content


def decode_map(content: bytes, where: str) -> Float[ndarray, "h w"]:
    """The map that `encode_map` was given.

    Raises:
        DataError: for anything else; nothing larger than an image may be is unpacked.
    """
    magic, height, width, size = _HEAD.unpack(content[: _HEAD.size].ljust(_HEAD.size, b"\0"))
    if magic != _MAGIC or size not in (4, 8) or not 0 < height * width <= limit("image_megapixels") * 10**6:
        raise _no_map(where)
    n_bytes, unpacker = height * width * size, zlib.decompressobj()
    try:
        values = unpacker.decompress(content[_HEAD.size :], n_bytes + 1)
    except zlib.error as error:
        raise _no_map(where) from error
    if len(values) != n_bytes or not unpacker.eof:
        raise _no_map(where)
    return np.array(np.frombuffer(values, f"<f{size}").reshape(height, width))


def maps_of(
    truth: DepthTruth, refs: Sequence[FrameRef]
) -> Iterator[tuple[FrameRef, Float[ndarray, "_h _w"] | DataError]]:
    """The maps of those of these frames that have one, or why it cannot be read."""
    for ref in dict.fromkeys(refs):
        try:
            depth = truth(ref) if truth.may_have(ref) else None
        except DataError as error:
            yield ref, error
        else:
            if depth is not None:
                yield ref, depth


def encode_truth(objects: Mapping[FrameRef, TruthObject], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """What the index says of maps: of each the place of its sequence in `names`, its number, and the object."""
    place = {name: i for i, name in enumerate(names)}
    return [(place[ref.sequence], ref.number, *each) for ref, each in objects.items()]


def decode_truth(entries: Any, names: Sequence[str]) -> dict[FrameRef, TruthObject] | None:
    """What `encode_truth` was given; None for values that cannot be."""
    if not isinstance(entries, list):
        return None
    objects = {}
    for entry in entries:
        if not isinstance(entry, list) or [type(value) for value in entry] != [int, int, str, int, str]:
            return None
        place, number, *rest = entry
        each = TruthObject(*rest)
        if not (0 <= place < len(names) and is_truth_name(each.name) and each.depth_is in get_args(DepthIs)):
            return None
        if not _HEAD.size < each.n_bytes <= limit("array_megabytes") * 10**6:
            return None
        objects[FrameRef(names[place], number)] = each
    return objects


@dataclass(frozen=True)
class ChunkTruth(DepthTruth):
    """The maps that lie beside chunks.

    Attributes:
        remote: where they lie.
        objects: of the frames that have one.
    """

    remote: Remote
    objects: Mapping[FrameRef, TruthObject] = field(repr=False)

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """As `DepthTruth`.

        Raises:
            DataError: for a map that is missing, or not what was written.
            TrainingError: if the place cannot be read: the maps of a validation are all there, or it ends.
        """
        found = self.objects.get(ref)
        if found is None:
            return None
        try:
            content = self.remote.read(found.name, most=limit("array_megabytes") * 10**6)
        except ConfigError:
            raise
        except DataError as error:
            raise TrainingError("the ground truth beside the chunks cannot be read", got=str(error)) from error
        if content is None or sha256(content).hexdigest() != found.digest:
            raise DataError(
                "the ground truth is missing" if content is None else "the ground truth was altered",
                where=self.remote.where(found.name),
                expected="the checksum in its name",
                fix="run selfdepth prepare again with the same --out",
            )
        return decode_map(content, self.remote.where(found.name))

    def depth_is(self, ref: FrameRef) -> DepthIs:
        """As `DepthTruth`."""
        found = self.objects.get(ref)
        return "z" if found is None else found.depth_is

    def may_have(self, ref: FrameRef) -> bool:
        """As `DepthTruth`."""
        return ref in self.objects


def _no_map(where: str) -> DataError:
    return DataError("this is no map of ground truth", where=where, expected="as selfdepth prepare writes it")
