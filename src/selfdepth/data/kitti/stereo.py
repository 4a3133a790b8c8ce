"""The other camera's frames of KITTI's stereo pairs, raw and odometry alike."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path

from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.errors import DataError


def other_camera(sequence: str, sides: Mapping[str, str]) -> str:
    """The sequence of the same drive by the other camera; `sides` as for `add_partners`."""
    drive, image = sequence.rsplit("/", 1)
    return f"{drive}/{sides['r'] if image == sides['l'] else sides['l']}"


def add_partners(
    refs_of: Mapping[str, tuple[FrameRef, ...]],
    wanted: dict[str, set[int]],
    root: Path,
    *,
    sides: Mapping[str, str],
    images: Callable[[str], Container[int]],
    translation_m: Callable[[str], tuple[float, float, float]],
) -> dict[str, StereoPartner]:
    """Add the partners' frames to those that are wanted; a target whose partner is not there does without.

    Args:
        refs_of: targets by part; those of "train" and "val" get partners.
        wanted: frame numbers by sequence; added to.
        root: of the data set, to be named where there are no pairs.
        sides: folders of the left ("l") and right ("r") camera: a sequence is called DRIVE/FOLDER.
        images: the numbers of a sequence's images.
        translation_m: of a drive: a point in the right camera is the point in the left one plus this, metres.

    Returns:
        the partner of each sequence that has one.

    Raises:
        DataError: if no training frame has a partner, or as `translation_m`.
    """
    left, right = sides["l"], sides["r"]
    partners: dict[str, StereoPartner] = {}
    found = {"train": 0, "val": 0}
    for part in found:
        for ref in refs_of.get(part, ()):
            drive, image = ref.sequence.rsplit("/", 1)
            other = other_camera(ref.sequence, sides)
            if ref.number not in images(other):
                continue
            found[part] += 1
            wanted.setdefault(other, set()).add(ref.number)
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
    return partners
