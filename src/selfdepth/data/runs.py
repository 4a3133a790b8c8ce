"""Sequences of a million items that hold none: frame numbers as runs, names made of them, references to frames.

Each behaves as the tuple of its items. What a drive without gaps takes does not depend on its length.
"""

from __future__ import annotations

import itertools
import operator
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, SupportsIndex, TypeVar, overload

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from selfdepth.data.frames import FrameRef

T = TypeVar("T")


class LazySequence(Sequence[T]):
    """A sequence whose items are made when asked for. It equals the tuple of them, and its slices are tuples."""

    @abstractmethod
    def _item(self, place: int) -> T:
        """The item at a place from 0 to the length less one."""

    @overload
    def __getitem__(self, place: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...

    def __getitem__(self, place: SupportsIndex | slice) -> T | tuple[T, ...]:
        if isinstance(place, slice):
            return tuple(map(self._item, range(*place.indices(len(self)))))
        index = operator.index(place)
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        return self._item(index % len(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, LazySequence)):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    # As that of a tuple, which reads all items: equal things must have equal hashes.
    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} items>"


class NumberRuns(LazySequence[int]):
    """Strictly increasing numbers, as runs of consecutive ones.

    Args:
        firsts, counts: first number and length of each run, in their order.
    """

    def __init__(self, firsts: Int[ndarray, "runs"], counts: Int[ndarray, "runs"]) -> None:
        _, self.firsts, self.counts = _joined(np.zeros_like(firsts), firsts, counts)
        self._ends = np.cumsum(self.counts)

    @staticmethod
    def of(numbers: Iterable[int]) -> NumberRuns:
        """These numbers."""
        firsts = np.array(numbers if isinstance(numbers, (ndarray, Sequence)) else [*numbers], np.int64)
        return NumberRuns(firsts, np.ones_like(firsts))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _item(self, place: int) -> int:
        run = int(np.searchsorted(self._ends, place, side="right"))
        return int(self.firsts[run] + self.counts[run] - self._ends[run]) + place

    def __iter__(self) -> Iterator[int]:
        runs = zip(self.firsts.tolist(), self.counts.tolist(), strict=True)
        return itertools.chain.from_iterable(range(first, first + count) for first, count in runs)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, (int, np.integer)) and bool(self.places(np.array(number, np.int64)) >= 0)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        numbers = _numbers(self.firsts, self.counts, self._ends)
        return numbers if dtype is None else numbers.astype(dtype)

    def places(self, numbers: Int[ndarray, "*shape"]) -> Int[ndarray, "*shape"]:
        """The place of each of these numbers, which `self[place]` is; -1 for those that are not here."""
        if not len(self.firsts):
            return np.full(numbers.shape, -1, np.int64)
        run = np.searchsorted(self.firsts, numbers, side="right") - 1  # -1 for numbers before the first
        beyond = numbers - self.firsts[run]
        is_here = (run >= 0) & (beyond < self.counts[run])
        return np.where(is_here, (self._ends - self.counts)[run] + beyond, -1)


class PaddedNames(LazySequence[str]):
    """Numbers as text, padded with zeros to so many digits."""

    def __init__(self, numbers: NumberRuns, digits: int) -> None:
        self.numbers, self.digits = numbers, digits

    def __len__(self) -> int:
        return len(self.numbers)

    def _item(self, place: int) -> str:
        return f"{self.numbers[place]:0{self.digits}d}"

    def __iter__(self) -> Iterator[str]:
        return (f"{number:0{self.digits}d}" for number in self.numbers)


class FrameRefs(LazySequence[FrameRef]):
    """References to frames in any order, as runs of neighbouring frames.

    Args:
        names: of sequences, each once. Some may have no frame here.
        which, firsts, counts: of each run the index of its sequence in `names`, its first number, and its length.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        which: Int[ndarray, "runs"],
        firsts: Int[ndarray, "runs"],
        counts: Int[ndarray, "runs"],
    ) -> None:
        self.names = names
        self.which, self.firsts, self.counts = _joined(which, firsts, counts)
        self._ends = np.cumsum(self.counts)

    @staticmethod
    def of(refs: Sequence[FrameRef]) -> FrameRefs:
        """These references."""
        if isinstance(refs, FrameRefs):
            return refs
        index: dict[str, int] = {}
        which = np.array([index.setdefault(ref.sequence, len(index)) for ref in refs], np.int64)
        return FrameRefs.of_arrays(tuple(index), which, np.array([ref.number for ref in refs], np.int64))

    @staticmethod
    def of_arrays(names: tuple[str, ...], which: Int[ndarray, "n"], numbers: Int[ndarray, "n"]) -> FrameRefs:
        """The references to these frames, as `arrays` returns them."""
        return FrameRefs(names, which, numbers, np.ones_like(numbers))

    def arrays(self) -> tuple[Int[ndarray, "n"], Int[ndarray, "n"]]:
        """Of each reference the index of its sequence in `names`, and its number."""
        return np.repeat(self.which, self.counts), _numbers(self.firsts, self.counts, self._ends)

    @cached_property
    def sequences(self) -> frozenset[str]:
        """The names of the sequences that have a frame here."""
        return frozenset(self.names[i] for i in np.unique(self.which).tolist())

    def values(self, of_sequence: Mapping[str, int]) -> Int[ndarray, "n"]:
        """What each reference's sequence has here. Raises KeyError for a sequence that has nothing."""
        values = np.array([of_sequence[self.names[i]] for i in self.which.tolist()], np.int64)
        return np.repeat(values, self.counts)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _item(self, place: int) -> FrameRef:
        run = int(np.searchsorted(self._ends, place, side="right"))
        number = int(self.firsts[run] + self.counts[run] - self._ends[run]) + place
        return FrameRef(self.names[int(self.which[run])], number)

    def __iter__(self) -> Iterator[FrameRef]:
        for which, first, count in zip(self.which.tolist(), self.firsts.tolist(), self.counts.tolist(), strict=True):
            name = self.names[which]
            yield from (FrameRef(name, number) for number in range(first, first + count))


def grouped(values: Int[ndarray, "n"]) -> Iterator[tuple[int, Int[ndarray, "_"]]]:
    """Each different value, in increasing order, with the places that have it."""
    if not len(values):
        return
    order = np.argsort(values, kind="stable")  # linear where they are sorted
    starts = np.flatnonzero(np.diff(values[order], prepend=values[order[0]] - 1))
    for start, end in itertools.pairwise((*starts.tolist(), len(values))):
        yield int(values[order[start]]), order[start:end]


def _joined(
    which: Int[ndarray, "runs"], firsts: Int[ndarray, "runs"], counts: Int[ndarray, "runs"]
) -> tuple[Int[ndarray, "longer"], Int[ndarray, "longer"], Int[ndarray, "longer"]]:
    """The same runs, where one that goes on in the next is one with it."""
    if len(firsts) < 2:
        return which, firsts, counts
    goes_on = (which[1:] == which[:-1]) & (firsts[1:] == firsts[:-1] + counts[:-1])
    starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    return which[starts], firsts[starts], np.add.reduceat(counts, starts)


def _numbers(firsts: Int[ndarray, "runs"], counts: Int[ndarray, "runs"], ends: Int[ndarray, "runs"]) -> ndarray:
    """All numbers of runs, of which `ends` has the place after the last."""
    return np.repeat(firsts - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
