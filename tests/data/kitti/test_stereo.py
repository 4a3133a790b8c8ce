"""Stereo partners: which targets have one, on which side it stands, and that training needs at least one."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.data.kitti.stereo import FoundPartners, find_partners, merge_numbers, other_camera
from selfdepth.errors import DataError

SIDES = {"l": "image_02", "r": "image_03"}
LEFT, RIGHT, OTHER = "date/a/image_02", "date/a/image_03", "date/b/image_02"
IMAGES = {LEFT: range(10), RIGHT: range(5), OTHER: range(3)}


def find(**refs_of: tuple[FrameRef, ...]) -> FoundPartners:
    """The partners of these targets; the cameras of drive a are 0.5 m apart, those of b 0.6 m."""
    return find_partners(
        refs_of,
        Path("root"),
        sides=SIDES,
        images=lambda name: IMAGES.get(name, ()),
        translation_m=lambda drive: {"date/a": (-0.5, 0.003, 0.0), "date/b": (-0.6, 0.0, 0.0)}[drive],
    )


def refs(name: str, *numbers: int) -> tuple[FrameRef, ...]:
    return tuple(FrameRef(name, number) for number in numbers)


def test_the_other_camera_is_the_other_way_round_for_the_other_side() -> None:
    assert other_camera(LEFT, SIDES) == RIGHT
    assert other_camera(RIGHT, SIDES) == LEFT


def test_the_partner_stands_on_opposite_sides_for_left_and_right_targets() -> None:
    found = find(train=refs(LEFT, 1) + refs(RIGHT, 2))
    assert found.partners == {
        LEFT: StereoPartner(sequence=RIGHT, translation_m=(-0.5, 0.003, 0.0)),
        RIGHT: StereoPartner(sequence=LEFT, translation_m=(0.5, -0.003, 0.0)),
    }
    assert found.numbers == {RIGHT: {1}, LEFT: {2}}


def test_targets_whose_partner_has_no_image_go_without() -> None:
    found = find(train=refs(LEFT, 1, 4, 5, 9), val=refs(LEFT, 3, 7) + refs(OTHER, 1))
    assert found.numbers == {RIGHT: {1, 3, 4}}
    assert set(found.partners) == {LEFT}


def test_test_frames_get_no_partners() -> None:
    assert find(train=refs(LEFT, 1), test=refs(LEFT, 2)).numbers == {RIGHT: {1}}


def test_training_needs_a_partner_and_validation_does_not() -> None:
    assert find(val=refs(LEFT, 8)).partners == {}
    sentence = "no training frame has a stereo partner: root; expected .*image_02 and image_03.*got 2 training frames"
    with pytest.raises(DataError, match=sentence):
        find(train=refs(LEFT, 8, 9), val=refs(LEFT, 1))


def test_merged_numbers_are_increasing_and_sequences_sorted() -> None:
    merged = merge_numbers({"b": (5, 1), "c": ()}, {"b": {1, 3}, "a": (2,)})
    assert merged == {"a": [2], "b": [1, 3, 5], "c": []}
    assert list(merged) == ["a", "b", "c"]
