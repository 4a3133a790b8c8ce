"""Runs of neighbouring frames: what is shuffled as one, and what an item of chunks holds.

A run owns up to RUN_FRAMES consecutive frames of a sequence, and those of its stereo partner with the same numbers. It
also holds the frames beside its own that their clips need, so that no clip crosses an item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from selfdepth.data.store.index import StoredSequence

RUN_FRAMES = 48
"""Frame numbers of a run. 48 frames of 640x192 are 18 MB: enough that a download outweighs its latency."""


class Piece(NamedTuple):
    """The frames of one sequence that a run holds.

    Attributes:
        sequence: its index in the store.
        first, stop: rows that the run holds, those beside its own included.
        place: where the first of them is in the item.
    """

    sequence: int
    first: int
    stop: int
    place: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """The runs of a store.

    Attributes:
        of_row: the run that owns each row.
        starts: first row of each sequence.
        keys: of each piece, its run times the number of sequences, plus its sequence; increasing.
        firsts, stops, places: of each piece, as in `Piece`.
    """

    of_row: Int[ndarray, "n"]
    starts: Int[ndarray, "sequences"]
    keys: Int[ndarray, "pieces"]
    firsts: Int[ndarray, "pieces"]
    stops: Int[ndarray, "pieces"]
    places: Int[ndarray, "pieces"]

    def __len__(self) -> int:
        return int(self.keys[-1]) // len(self.starts) + 1

    def pieces(self, run: int) -> list[Piece]:
        """What a run holds, in the order of its item."""
        low, high = np.searchsorted(self.keys, (run * len(self.starts), (run + 1) * len(self.starts)))
        columns = (self.keys % len(self.starts), self.firsts, self.stops, self.places)
        return [Piece(*map(int, values)) for values in zip(*(each[low:high] for each in columns), strict=True)]

    def n_frames(self, run: int) -> int:
        """Number of frames that a run holds."""
        last = self.pieces(run)[-1]
        return last.place + last.stop - last.first

    def where(self, rows: Int[ndarray, "b views"]) -> tuple[Int[ndarray, "b views"], Int[ndarray, "b views"]]:
        """Where the views of clips are read: the run, and the place in its item.

        All views of a clip come from the run of its target. If that does not hold one, because the clip reaches further
        than the runs were made for, this one comes from the run that owns it.
        """
        n, sequence = len(self.starts), np.searchsorted(self.starts, rows, side="right") - 1
        wanted = self.of_row[rows[:, :1]] * n + sequence
        piece = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        is_held = (self.keys[piece] == wanted) & (self.firsts[piece] <= rows) & (rows < self.stops[piece])
        piece = np.where(is_held, piece, np.searchsorted(self.keys, self.of_row[rows] * n + sequence))
        return self.keys[piece] // n, self.places[piece] + rows - self.firsts[piece]


def plan_runs(sequences: Sequence[StoredSequence], reach: int, *, run_frames: int | None = None) -> Runs:
    """The runs of a store with these sequences, which follow each other in its rows.

    Args:
        reach: how many numbers from its target a clip's sources are at most.
        run_frames: frame numbers of a run. Default: RUN_FRAMES.
    """
    length, n = run_frames or RUN_FRAMES, len(sequences)
    of_row = np.zeros(sum(len(each.numbers) for each in sequences), np.int64)
    tables, n_runs = [], 0
    for group in _groups(sequences):
        numbers = [np.array(sequences[i].numbers, np.int64) for i in group]
        every = numbers[0] if len(group) == 1 else np.unique(np.concatenate(numbers))
        firsts = every[::length]
        lasts = every[np.minimum(np.arange(1, len(firsts) + 1) * length, len(every)) - 1]
        runs = n_runs + np.arange(len(firsts))
        for i, own in zip(group, numbers, strict=True):
            start = sequences[i].start
            of_row[start : start + len(own)] = n_runs + np.searchsorted(firsts, own, side="right") - 1
            held = np.searchsorted(own, firsts - reach), np.searchsorted(own, lasts + reach, side="right")
            tables.append(np.stack([runs * n + i, start + held[0], start + held[1]]))
        n_runs += len(firsts)
    table = np.concatenate(tables, axis=1)
    table = table[:, table[2] > table[1]]
    keys, first, stop = table[:, np.argsort(table[0])]
    before = np.cumsum(stop - first) - (stop - first)
    of_run = np.searchsorted(keys, keys // n * n)  # the first piece of the same run
    starts = np.array([each.start for each in sequences], np.int64)
    return Runs(of_row=of_row, starts=starts, keys=keys, firsts=first, stops=stop, places=before - before[of_run])


def _groups(sequences: Sequence[StoredSequence]) -> Iterator[list[int]]:
    """Sequences without a partner alone, and those of a stereo pair together, in the order of their first ones."""
    index = {each.name: i for i, each in enumerate(sequences)}
    leader = list(range(len(sequences)))

    def first_of(i: int) -> int:
        while leader[i] != i:
            i = leader[i]
        return i

    for i, each in enumerate(sequences):
        if each.partner is not None:
            one, other = first_of(i), first_of(index[each.partner.sequence])
            leader[max(one, other)] = min(one, other)
    members: dict[int, list[int]] = {}
    for i in range(len(sequences)):
        members.setdefault(first_of(i), []).append(i)
    yield from members.values()
