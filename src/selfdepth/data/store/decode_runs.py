"""Decode the frames of runs, in the order of the runs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameSequence
from selfdepth.data.store.decode import decoding_jobs
from selfdepth.data.store.index import StoredSequence
from selfdepth.data.store.run_plan import Piece, Runs
from selfdepth.geometry.crop_resize import CropResize


class RunDecoder:
    """Decodes the frames of runs, each once but for those that two runs hold."""

    def __init__(self, footage: Footage, fit: CropResize, sequences: tuple[StoredSequence, ...], runs: Runs) -> None:
        self.footage, self.fit, self.sequences, self.runs = footage, fit, sequences, runs

    def read(self, wanted: Sequence[int]) -> Iterator[UInt8[ndarray, "n 3 h w"]]:
        """As `write_chunks.ReadRuns`. Raises DataError for frames that cannot be decoded."""
        of_sequence: dict[int, list[Piece]] = {}
        for run in wanted:
            for piece in self.runs.pieces(run):
                of_sequence.setdefault(piece.sequence, []).append(piece)
        threads = os.cpu_count() or 1
        pool = ThreadPoolExecutor(threads)
        try:
            readers = {i: self._frames_of(i, pieces, pool, threads) for i, pieces in of_sequence.items()}
            for run in wanted:
                yield np.concatenate([next(readers[piece.sequence]) for piece in self.runs.pieces(run)])
        finally:
            pool.shutdown(cancel_futures=True)

    def _frames_of(
        self, i: int, pieces: Sequence[Piece], pool: ThreadPoolExecutor, threads: int
    ) -> Iterator[UInt8[ndarray, "n 3 h w"]]:
        """The frames of these pieces of a sequence, one after the other. It is decoded in order, and no further."""
        start = self.sequences[i].start
        rows = np.unique(np.concatenate([np.arange(piece.first, piece.stop) for piece in pieces]))
        sequence = _only(self.footage.sequences[i], rows - start)
        decoded = _in_order(decoding_jobs(Footage(kind="", sequences=(sequence,)), self.fit), pool, 2 * threads)
        held: dict[int, UInt8[ndarray, "3 h w"]] = {}
        coming = iter(rows.tolist())
        for piece in pieces:
            while piece.stop - 1 not in held:
                held.update((next(coming), frame) for frame in next(decoded))
            yield np.stack([held[row] for row in range(piece.first, piece.stop)])
            for row in [row for row in held if row < piece.first]:
                del held[row]


def _only(sequence: FrameSequence, places: ndarray) -> FrameSequence:
    kept = set(places.tolist())
    return sequence.without(frozenset(number for i, number in enumerate(sequence.numbers) if i not in kept))


def _in_order(
    jobs: Iterator[Callable[[], UInt8[ndarray, "n 3 h w"]]], pool: ThreadPoolExecutor, most: int
) -> Iterator[UInt8[ndarray, "n 3 h w"]]:
    """What jobs return, in their order, with so many of them under way."""
    pending: deque[Future[Any]] = deque()
    for job in jobs:
        pending.append(pool.submit(job))
        if len(pending) > most:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
