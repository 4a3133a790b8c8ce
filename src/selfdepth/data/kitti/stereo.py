"""KITTI's stereo pairs, for KITTI raw and KITTI odometry: which frames of the other camera belong to which targets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.errors import DataError


def other_camera(sequence: str, sides: Mapping[str, str]) -> str:
    """Name of the other camera's sequence of the same drive; `sides` as for `find_partners`."""
    drive, image = sequence.rsplit("/", 1)
    return f"{drive}/{sides['r'] if image == sides['l'] else sides['l']}"


@dataclass(frozen=True, kw_only=True)
class FoundPartners:
    """The stereo partners of a set of targets.

    Attributes:
        partners: the partner of each sequence that has one, by the sequence's name.
        numbers: frame numbers of the partners, by the name of the partner's sequence.
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
    """The partners of the training and validation targets. A target whose partner has no image gets none.

    Args:
        refs_of: targets by part; those of "train" and "val" get partners.
        root: root of the data set, for the error message.
        sides: folders of the left ("l") and right ("r") camera; a sequence is named DRIVE/FOLDER.
        images: frame numbers of a sequence's images, by its name.
        translation_m: translation of T_right_left of a drive in metres, by the drive's name.

    Raises:
        DataError: if no training frame has a partner, or raised by `translation_m`.
    """
    left, right = sides["l"], sides["r"]
    partners: dict[str, StereoPartner] = {}
    numbers: dict[str, set[int]] = {}
    n_paired = {"train": 0, "val": 0}
    for part in n_paired:
        for ref in refs_of.get(part, ()):
            drive, image = ref.sequence.rsplit("/", 1)
            other = other_camera(ref.sequence, sides)
            if ref.number not in images(other):
                continue
            n_paired[part] += 1
            numbers.setdefault(other, set()).add(ref.number)
            if ref.sequence not in partners:
                # A target may be of either camera. Seen from the right one, the partner stands on the other side.
                x, y, z = translation_m(drive)
                translation = (x, y, z) if image == left else (-x, -y, -z)
                partners[ref.sequence] = StereoPartner(sequence=other, translation_m=translation)
    # Validation frames may go without partners: their depth is evaluated all the same.
    if refs_of.get("train") and not n_paired["train"]:
        raise DataError(
            "no training frame has a stereo partner",
            where=root,
            expected=f"images of both cameras, {left} and {right}, with the same numbers",
            got=f"{len(refs_of['train'])} training frames, each with one of the two",
            fix="copy the other camera's images there, or leave --stereo out",
        )
    return FoundPartners(partners=partners, numbers={name: frozenset(of) for name, of in numbers.items()})


def merge_numbers(first: Mapping[str, Collection[int]], second: Mapping[str, Collection[int]]) -> dict[str, list[int]]:
    """The frame numbers in either mapping, increasing, by sequence; the sequences are sorted by name."""
    return {name: sorted({*first.get(name, ()), *second.get(name, ())}) for name in sorted({*first, *second})}
