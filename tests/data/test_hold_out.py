"""The hold-out rule: who is trained on, who is validated on, and that they share no frame."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdepth.data.frames import FrameRef
from selfdepth.data.hold_out import MIN_CLIPS_FOR_VAL, hold_out

NEIGHBOURS = (-1, 1)


def frames_of(refs: tuple[FrameRef, ...], steps: tuple[int, ...]) -> set[tuple[str, int]]:
    """All frames of the clips with these targets."""
    return {(ref.sequence, ref.number + step) for ref in refs for step in (0, *steps)}


def numbers_of(refs: tuple[FrameRef, ...]) -> list[int]:
    return [ref.number for ref in refs]


@settings(max_examples=200, deadline=None)
@given(
    sequences=st.lists(st.sets(st.integers(0, 120), max_size=110), min_size=1, max_size=3),
    steps=st.sampled_from([(-1, 1), (1,), (-2, -1, 1, 2), (-3, 3), (-1, 4), ()]),
)
def test_clips_are_complete_and_training_and_validation_share_no_frame(
    sequences: list[set[int]], steps: tuple[int, ...]
) -> None:
    numbers = {f"drive{i}": sorted(sequence) for i, sequence in enumerate(sequences)}
    existing = {(name, number) for name, listed in numbers.items() for number in listed}
    train, val = hold_out(numbers, steps)
    assert frames_of(train, steps) | frames_of(val, steps) <= existing
    assert not frames_of(train, steps) & frames_of(val, steps)


@pytest.mark.parametrize("steps", [(-1, 1), (1,), (-2, -1, 1, 2), (-3, 3)])
@pytest.mark.parametrize("gap", [False, True])
def test_the_last_tenth_of_the_clips_is_for_validation(steps: tuple[int, ...], gap: bool) -> None:
    numbers = [number for number in range(100) if not (gap and 40 <= number < 50)]
    n_clips = sum(all(number + step in numbers for step in steps) for number in numbers)
    train, val = hold_out({"drive": numbers}, steps)
    assert len(val) == n_clips // 10
    assert max(numbers_of(val)) + max(steps) == 99, "the end of the sequence"
    assert max(numbers_of(train)) < min(numbers_of(val))


@pytest.mark.parametrize(("n_frames", "n_val"), [(21, 0), (22, 2), (40, 3)])
def test_validation_starts_at_twenty_clips(n_frames: int, n_val: int) -> None:
    train, val = hold_out({"drive": range(n_frames)}, NEIGHBOURS)
    assert len(val) == n_val
    assert len(train) == n_frames - 2 - (n_val and n_val + 2), "two frames between training and validation"


def test_each_long_sequence_gives_its_own_end() -> None:
    _, val = hold_out({"a": range(42), "b": range(10), "c": range(100, 142)}, NEIGHBOURS)
    assert val == tuple(FrameRef(name, first + i) for name, first in (("a", 37), ("c", 137)) for i in range(4))


def test_of_many_short_sequences_the_last_is_for_validation() -> None:
    train, val = hold_out({name: range(12) for name in "abc"}, NEIGHBOURS)
    assert {ref.sequence for ref in val} == {"c"}
    assert {ref.sequence for ref in train} == {"a", "b"}


def test_with_few_clips_all_are_for_training() -> None:
    n = MIN_CLIPS_FOR_VAL // 2
    train, val = hold_out({"a": range(n + 1), "b": range(n + 1)}, NEIGHBOURS)
    assert (len(train), val) == (2 * (n - 1), ())


def test_frames_beside_a_gap_are_no_targets() -> None:
    train, _ = hold_out({"drive": [0, 1, 2, 4, 5, 6]}, NEIGHBOURS)
    assert numbers_of(train) == [1, 5]


def test_without_neighbours_every_frame_is_a_target() -> None:
    train, val = hold_out({"drive": range(20)}, ())
    assert numbers_of(train + val) == list(range(20))


def test_without_frames_there_are_no_targets() -> None:
    assert hold_out({}, NEIGHBOURS) == hold_out({"drive": [3]}, NEIGHBOURS) == ((), ())
