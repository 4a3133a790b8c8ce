"""Sequences that hold no items behave as the tuple of their items."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth.data.frames import FrameRef
from selfdepth.data.runs import FrameRefs, LazySequence, NumberRuns, PaddedNames, grouped

numbers_of_a_drive = st.lists(st.integers(0, 30), unique=True).map(sorted)
references = st.lists(st.builds(FrameRef, st.sampled_from("abc"), st.integers(0, 5)), max_size=20)


def assert_same(lazy: Sequence[object], items: tuple[object, ...]) -> None:
    """In every way in which a tuple can be asked."""
    n = len(items)
    assert (len(lazy), bool(lazy), tuple(lazy), [*reversed(lazy)]) == (n, bool(items), items, [*reversed(items)])
    assert lazy == items and items == lazy and hash(lazy) == hash(items)
    assert [lazy[i] for i in range(-n, n)] == [items[i] for i in range(-n, n)]
    for part in (slice(None), slice(2), slice(-3, None), slice(None, None, -2), slice(n, 0)):
        assert lazy[part] == items[part] and type(lazy[part]) is tuple
    for beyond in (n, -n - 1):
        with pytest.raises(IndexError, match=f"item {beyond} of {n}"):
            lazy[beyond]
    for item in (*items, 7, "00", FrameRef("a", 3), None):
        assert (item in lazy, lazy.count(item)) == (item in items, items.count(item))
    assert lazy != (*items, None) and lazy != list(items)


@given(numbers_of_a_drive)
def test_numbers_are_their_tuple(numbers: list[int]) -> None:
    lazy = NumberRuns.of(numbers)
    assert_same(lazy, tuple(numbers))
    assert np.asarray(lazy).tolist() == numbers and np.asarray(lazy, np.float32).dtype == np.float32


@given(numbers_of_a_drive, st.integers(1, 3))
def test_padded_names_are_their_tuple(numbers: list[int], digits: int) -> None:
    assert_same(PaddedNames(NumberRuns.of(numbers), digits), tuple(f"{n:0{digits}d}" for n in numbers))


@given(references)
def test_references_are_their_tuple(refs: list[FrameRef]) -> None:
    assert_same(FrameRefs.of(refs), tuple(refs))
    assert FrameRefs.of(FrameRefs.of(refs)) == FrameRefs.of(tuple(refs))


@given(numbers_of_a_drive)
def test_the_place_of_a_number_is_its_index(numbers: list[int]) -> None:
    asked = np.arange(-3, 36).reshape(3, 13)
    expected = [[numbers.index(n) if n in numbers else -1 for n in row] for row in asked.tolist()]
    assert NumberRuns.of(numbers).places(asked).tolist() == expected


@given(references)
def test_arrays_and_values_are_those_of_each_reference(refs: list[FrameRef]) -> None:
    lazy = FrameRefs.of(refs)
    which, numbers = lazy.arrays()
    assert [FrameRef(lazy.names[i], n) for i, n in zip(which.tolist(), numbers.tolist(), strict=True)] == refs
    assert FrameRefs.of_arrays(lazy.names, which, numbers) == tuple(refs)
    assert lazy.sequences == {ref.sequence for ref in refs}
    of = {"a": 3, "b": 0, "c": 9}
    assert lazy.values(of).tolist() == [of[ref.sequence] for ref in refs]


@given(references)
def test_runs_are_as_long_as_they_can_be(refs: list[FrameRef]) -> None:
    lazy = FrameRefs.of(refs)
    runs = list(zip(lazy.which.tolist(), lazy.firsts.tolist(), lazy.counts.tolist(), strict=True))
    assert all((i, first + count) != (j, start) for (i, first, count), (j, start, _) in itertools.pairwise(runs))


@given(st.lists(st.integers(0, 4)))
def test_groups_are_the_places_of_each_value(values: list[int]) -> None:
    found = {value: places.tolist() for value, places in grouped(np.array(values, np.int64))}
    assert found == {value: [i for i, v in enumerate(values) if v == value] for value in sorted({*values})}


def test_what_a_long_drive_takes_does_not_depend_on_its_length() -> None:
    numbers = NumberRuns(np.array([0]), np.array([10**15]))
    refs = FrameRefs(("a", "b"), np.array([1]), np.array([5]), np.array([10**15]))
    lazy: list[LazySequence[object]] = [numbers, PaddedNames(numbers, 3), refs]  # type: ignore[list-item]
    assert [len(each) for each in lazy] == [10**15] * 3
    assert [each[-1] for each in lazy] == [10**15 - 1, "999999999999999", FrameRef("b", 10**15 + 4)]
    assert 10**15 - 1 in numbers and 10**15 not in numbers


def test_a_long_sequence_is_not_printed() -> None:
    assert repr(NumberRuns.of(range(5, 900))) == "<NumberRuns of 895 items>"
