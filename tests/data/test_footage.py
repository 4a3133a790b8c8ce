"""The data of a run as values: its targets, its sequences, and the options that it was opened with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.footage import PARTS, ClipRequest, Footage, Origin, no_frames
from selfdepth.data.frames import FrameRef
from selfdepth.data.truth import NoTruth


@pytest.mark.parametrize(
    "origin",
    [
        Origin(path=Path("/data/drive.mp4")),
        Origin(path=Path("/data/kitti"), split=Path("/cache/eigen"), camera="700,700,620,187", auto=True),
    ],
)
def test_an_origin_comes_back_from_json(origin: Origin) -> None:
    assert Origin.from_json(json.loads(json.dumps(origin.to_json()))) == origin


def test_the_spacing_multiplies_the_offsets() -> None:
    assert ClipRequest(offsets=(-2, 1), spacing=3).steps == (-6, 3)
    assert ClipRequest(offsets=()).steps == ()


def test_parts_and_sequences_are_found_by_name(tmp_path: Path) -> None:
    drive = footage(
        sequence(tmp_path / "a", "first", (1, 2, 3)), sequence(tmp_path / "b", "second", (7, 8, 9)), n_val=1
    )
    assert drive.part("train") == tuple(
        FrameRef(name, n) for name, n in (("first", 1), ("first", 2), ("second", 7), ("second", 8))
    )
    assert drive.part("val") == (FrameRef("first", 3), FrameRef("second", 9))
    assert drive.part("test") == ()
    assert drive.sequence("second").numbers == (7, 8, 9)
    with pytest.raises(KeyError):
        drive.sequence("third")
    with pytest.raises(KeyError):
        drive.part("all")


def test_footage_has_no_ground_truth_unless_it_is_given_some() -> None:
    plain = Footage(kind="folder", sequences=())
    assert isinstance(plain.truth, NoTruth)
    assert plain == Footage(kind="folder", sequences=(), truth=NoTruth())


@pytest.mark.parametrize("part", PARTS)
def test_the_error_for_a_part_without_frames_says_which_and_where(part: str) -> None:
    sentence = str(no_frames(part, Path("store")))
    assert sentence == f"there are no {PARTS[part]} to evaluate: store; name another --part, or leave it out"
