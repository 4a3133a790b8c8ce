"""Sequences of frames: gaps in their numbers, and runs in which they can be read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.memory_footage import pixels, sequence
from selfdepth.data.frames import FrameRef, StereoPartner, find_gaps, gaps_refused, increasing_runs
from selfdepth.errors import DataError


def test_gaps_are_where_numbers_jump() -> None:
    assert find_gaps((1, 2, 3, 7, 8, 10)) == ((3, 7), (8, 10))
    assert find_gaps((5,)) == find_gaps(()) == ()


def test_the_error_for_gaps_names_the_first_and_counts_them() -> None:
    with pytest.raises(
        DataError, match=r"gaps.*: drive; expected consecutive numbers; got a jump from 3 to 7, one of 2"
    ):
        raise gaps_refused("drive", ((3, 7), (8, 10)))


@given(st.lists(st.builds(FrameRef, st.sampled_from("ab"), st.integers(0, 9))))
def test_runs_are_increasing_and_keep_the_order_of_the_frames(refs: list[FrameRef]) -> None:
    runs = list(increasing_runs(tuple(refs)))
    assert [FrameRef(name, number) for name, numbers in runs for number in numbers] == refs
    assert all(numbers == tuple(sorted(set(numbers))) and numbers for _, numbers in runs)


def test_a_run_is_as_long_as_it_can_be() -> None:
    refs = tuple(FrameRef(name, n) for name, n in (("a", 1), ("a", 4), ("a", 4), ("b", 5), ("b", 2), ("a", 9)))
    assert list(increasing_runs(refs)) == [("a", (1, 4)), ("a", (4,)), ("b", (5,)), ("b", (2,)), ("a", (9,))]


def test_a_sequence_that_cannot_decode_smaller_frames_gives_whole_ones(tmp_path: Path) -> None:
    drive = sequence(tmp_path / "a")
    (image,) = drive.read_reduced((3,), 2)
    assert np.array_equal(image, pixels("drive", 3))


def test_a_partner_comes_back_from_json() -> None:
    partner = StereoPartner(sequence="right", translation_m=(-0.5327, 0.00275, -1.6e-5))
    assert StereoPartner.from_json(json.loads(json.dumps(asdict(partner)))) == partner


def test_references_are_ordered_by_sequence_and_number() -> None:
    assert sorted([FrameRef("b", 1), FrameRef("a", 10), FrameRef("a", 9)])[0] == FrameRef("a", 9)
