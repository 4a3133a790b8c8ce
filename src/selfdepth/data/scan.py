"""Look at every frame before a run depends on it: which cannot be read, and which show another scene than the last."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.config.train import OnError
from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef, FrameSequence, read_in_order
from selfdepth.data.motion import shrink, unexplained
from selfdepth.errors import DataError

MAX_SKIPPED = 0.01
"""Share of the frames that may be left out because they cannot be read: more is a fault of the disk or the copy."""

_LISTED = 5
"""Frames that an error quotes in full; `check` lists all."""
_REDUCTION = 8
_CUT = 0.7
"""Share of a frame that no motion of its parts explains, from which on it may show another scene."""
_ABOVE_NEIGHBOURS = 1.4
"""A cut stands out this much from the frames around it. In footage that shakes or waits long, all frames do."""
_AROUND = 4

Look = Float[ndarray, "h w"]


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """Frames that cannot be read.

    Attributes:
        sequence: name of their sequence.
        numbers: their numbers: one image, or all frames of a video from where it is damaged.
        reason: the sentence of the error.
    """

    sequence: str
    numbers: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        if len(self.numbers) == 1:
            return self.reason
        return f"{len(self.numbers)} frames from number {self.numbers[0]} on: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the frames of one sequence show.

    Attributes:
        unreadable: frames that cannot be read.
        cuts: numbers of the frames that show another scene than the frame before, as far as pictures tell.
        unlike: share of the neighbours that do not show the same scene.
    """

    unreadable: tuple[Unreadable, ...]
    cuts: tuple[int, ...]
    unlike: float


def scan(sequence: FrameSequence, progress: Callable[[int], None] = lambda n: None) -> Scan:
    """Decode every frame of a sequence, small where that is faster, and compare it with the one before.

    Args:
        progress: called with the number of frames that were just looked at.
    """
    unreadable: list[Unreadable] = []
    pairs: list[tuple[int, float]] = []
    last: tuple[int, Look] | None = None
    for numbers, found in _looks(sequence):
        progress(len(numbers))
        if isinstance(found, DataError):
            unreadable.append(Unreadable(sequence=sequence.name, numbers=numbers, reason=str(found)))
            continue
        if last is not None and last[0] + 1 == numbers[0]:
            pairs.append((numbers[0], unexplained(last[1], found)))
        last = (numbers[0], found)
    shares = np.array([share for _, share in pairs])
    return Scan(
        unreadable=tuple(unreadable),
        cuts=tuple(pairs[i][0] for i in _cuts(shares)),
        unlike=float((shares > _CUT).mean()) if pairs else 0.0,
    )


def without_unreadable(
    footage: Footage, unreadable: tuple[Unreadable, ...], *, on_error: OnError, steps: tuple[int, ...]
) -> Footage:
    """The data without frames that cannot be read, and without the clips that need them.

    Args:
        steps: times of a clip's sources relative to its target, in frames.

    Raises:
        DataError: with the number and the first of them, if `on_error` is "stop", or if they are more than MAX_SKIPPED.
    """
    if not unreadable:
        return footage
    total = sum(len(sequence.numbers) for sequence in footage.sequences)
    count = sum(len(each.numbers) for each in unreadable)
    refuse_unreadable(tuple(map(str, unreadable)), count, total, on_error=on_error)
    bad = {FrameRef(each.sequence, number) for each in unreadable for number in each.numbers}

    def whole(refs: tuple[FrameRef, ...], reach: tuple[int, ...]) -> tuple[FrameRef, ...]:
        return tuple(
            ref for ref in refs if not any(FrameRef(ref.sequence, ref.number + step) in bad for step in (0, *reach))
        )

    sequences = tuple(
        sequence.without(frozenset(ref.number for ref in bad if ref.sequence == sequence.name))
        for sequence in footage.sequences
    )
    train, val, test = whole(footage.train, steps), whole(footage.val, steps), whole(footage.test, ())
    return replace(footage, sequences=sequences, train=train, val=val, test=test)


def refuse_unreadable(sentences: tuple[str, ...], count: int, total: int, *, on_error: OnError) -> None:
    """Raise DataError for frames that cannot be read, unless they may be left out.

    Args:
        sentences: on each of them.
        count, total: number of these frames, and of all.
        on_error: "stop" for any of them, or "skip" up to MAX_SKIPPED.
    """
    if not count or (on_error == "skip" and count <= MAX_SKIPPED * total):
        return
    more = f"; and {len(sentences) - _LISTED} more, which selfdepth check lists" if len(sentences) > _LISTED else ""
    skip = on_error == "skip"
    raise DataError(
        f"{count} of {total} frames cannot be read",
        expected=f"at most {MAX_SKIPPED:.0%} of the frames to leave out" if skip else "frames that can be read",
        got="; ".join(sentences[:_LISTED]) + more,
        fix="copy them again or remove them" + ("" if skip else ", or leave them out with --on-error skip"),
    )


def _looks(sequence: FrameSequence) -> Iterator[tuple[tuple[int, ...], Look | DataError]]:
    """Each frame's small grey picture, or the frames that cannot be read with their error, in order."""
    if len(sequence.files) < len(sequence.numbers):  # a video, which can only be decoded in order
        for numbers, found in read_in_order(sequence, sequence.numbers):
            yield numbers, found if isinstance(found, DataError) else shrink(found)
        return
    threads = os.cpu_count() or 1
    pending: deque[tuple[int, Future[Look | DataError]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for number in sequence.numbers:
            pending.append((number, pool.submit(partial(_look, sequence, number))))
            # Bounded: the pictures of a long recording would fill the memory.
            if len(pending) > 4 * threads:
                first, future = pending.popleft()
                yield (first,), future.result()
        for number, future in pending:
            yield (number,), future.result()


def _look(sequence: FrameSequence, number: int) -> Look | DataError:
    try:
        return shrink(next(iter(sequence.read_reduced((number,), _REDUCTION))))
    except DataError as error:
        return error
    except StopIteration:
        return DataError("the sequence ends early", where=f"frame {number} of {sequence.name}")


def _cuts(shares: Float[ndarray, "n"]) -> list[int]:
    """Indices of the shares that are large, and stand out from those around them."""
    found = []
    for i in np.flatnonzero(shares > _CUT).tolist():
        around = [*shares[max(0, i - _AROUND) : i].tolist(), *shares[i + 1 : i + 1 + _AROUND].tolist()]
        if not around or shares[i] > _ABOVE_NEIGHBOURS * float(np.median(around)):
            found.append(i)
    return found
