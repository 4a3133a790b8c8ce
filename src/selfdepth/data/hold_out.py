"""Which frames are held out for validation where no split says so. There is one rule, for every kind of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfdepth.data.frames import FrameRef

VAL_SHARE = 0.1
"""Share of the clips, at the end of each sequence, that is held out for validation."""
MIN_CLIPS_FOR_VAL = 20
"""Sequences with fewer clips are trained on whole."""


def hold_out(
    numbers_of: Mapping[str, Sequence[int]], steps: Sequence[int]
) -> tuple[tuple[FrameRef, ...], tuple[FrameRef, ...]]:
    """Targets for training and for validation: all frames whose neighbours are there.

    The last tenth of each sequence of 20 clips or more is for validation, and training stops before the first frame
    that a validation clip sees. If there are 20 clips in all, but only in shorter sequences, the last of these is for
    validation.

    Args:
        numbers_of: strictly increasing frame numbers of each sequence, by its name.
        steps: times of a clip's sources relative to its target, in frames.
    """
    before, after = min((0, *steps)), max((0, *steps))
    train: list[FrameRef] = []
    val: list[FrameRef] = []
    for name, numbers in numbers_of.items():
        targets = _targets(numbers, steps)
        n_val = int(VAL_SHARE * len(targets)) if len(targets) >= MIN_CLIPS_FOR_VAL else 0
        held_out = targets[len(targets) - n_val :]
        train += [FrameRef(name, n) for n in targets if not held_out or n + after < held_out[0] + before]
        val += [FrameRef(name, n) for n in held_out]
    if not val and len(train) >= MIN_CLIPS_FOR_VAL:
        last = train[-1].sequence
        # No single sequence has 20 clips here, so others remain to train on.
        val = [ref for ref in train if ref.sequence == last]
        train = [ref for ref in train if ref.sequence != last]
    return tuple(train), tuple(val)


def _targets(numbers: Sequence[int], steps: Sequence[int]) -> list[int]:
    known = set(numbers)
    return [number for number in numbers if all(number + step in known for step in steps)]
