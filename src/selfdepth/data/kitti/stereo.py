"""The other camera's frames of KITTI's stereo pairs, raw and odometry alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.errors import DataError


def other_camera(sequence: str, sides: Mapping[str, str]) -> str:
    """The sequence of the same drive by the other camera; `sides` as for `find_partners`."""
    drive, image = sequence.rsplit("/", 1)
    return f"{drive}/{sides['r'] if image == sides['l'] else sides['l']}"


@dataclass(frozen=True, kw_only=True)
class FoundPartners:
    """The stereo partners of some targets.

    Attributes:
        partners: the partner of each sequence that has one.
        numbers: the partners' frames, by their sequence.
    """

    partners: Mapping[str, StereoPartner]
    numbers: Mapping[str, frozenset[int]]


def find_partners(
    refs_of: Mapping[str, tuple[FrameRef, ...]],
    root: Path,
    *,
    sides: Mapping[str, str],
    images: Callable[[str], Container[int]],
    translation_m: Callable[[str], tuple[float, float, float]],
) -> FoundPartners:
    """The partners of the training and validation targets; a target whose partner has no image goes without.

    Args:
        refs_of: targets by part; those of "train" and "val" get partners.
        root: of the data set, to be named where there are no pairs.
        sides: folders of the left ("l") and right ("r") camera: a sequence is called DRIVE/FOLDER.
        images: the numbers of a sequence's images.
        translation_m: of a drive: a point in the right camera is the point in the left one plus this, metres.

    Raises:
        DataError: if no training frame has a partner, or as `translation_m`.
    """
    left, right = sides["l"], sides["r"]
    partners: dict[str, StereoPartner] = {}
    numbers: dict[str, set[int]] = {}
    found = {"train": 0, "val": 0}
    for part in found:
        for ref in refs_of.get(part, ()):
            drive, image = ref.sequence.rsplit("/", 1)
            other = other_camera(ref.sequence, sides)
            if ref.number not in images(other):
                continue
            found[part] += 1
            numbers.setdefault(other, set()).add(ref.number)
            if ref.sequence not in partners:
                x, y, z = translation_m(drive)
                place = (x, y, z) if image == left else (-x, -y, -z)
                partners[ref.sequence] = StereoPartner(sequence=other, translation_m=place)
    if refs_of.get("train") and not found["train"]:
        raise DataError(
            "no training frame has a stereo partner",
            where=root,
            expected=f"images of both cameras, {left} and {right}, with the same numbers",
            got=f"{len(refs_of['train'])} training frames, each with one of the two",
            fix="copy the other camera's images there, or leave --stereo out",
        )
    return FoundPartners(partners=partners, numbers={name: frozenset(of) for name, of in numbers.items()})


def united(first: Mapping[str, Collection[int]], second: Mapping[str, Collection[int]]) -> dict[str, list[int]]:
    """The frame numbers of both, increasing, by sequence; the sequences in the order of their names."""
    return {name: sorted({*first.get(name, ()), *second.get(name, ())}) for name in sorted({*first, *second})}
