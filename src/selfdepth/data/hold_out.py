"""The hold-out rule: which frames are for validation when no split decides. All kinds of data share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selfdepth.data.frames import FrameRef

VAL_SHARE = 0.1
"""Share of a sequence's clips, at its end, that is held out for validation."""
MIN_CLIPS_FOR_VAL = 20
"""Sequences with fewer clips are used for training only: a tenth of them would be a clip or none."""


def hold_out(
    numbers_of: Mapping[str, Sequence[int]], steps: Sequence[int]
) -> tuple[tuple[FrameRef, ...], tuple[FrameRef, ...]]:
    """Divide the targets, all frames whose neighbours exist, into training and validation.

    The last tenth of each sequence of 20 clips or more is for validation, and training stops before the first frame
    that a validation clip uses. If there are 20 clips in total, but only in shorter sequences, the last sequence is
    for validation.

    Args:
        numbers_of: strictly increasing frame numbers of each sequence, by its name.
        steps: times of a clip's sources relative to its target, in frames.

    Returns:
        (training targets, validation targets).
    """
    # The end of a sequence, not random frames: a frame's neighbours look almost the same, so a random choice would
    # validate on frames that were practically trained on.
    before, after = min((0, *steps)), max((0, *steps))
    train: list[FrameRef] = []
    val: list[FrameRef] = []
    for name, numbers in numbers_of.items():
        targets = _targets(numbers, steps)
        n_val = int(VAL_SHARE * len(targets)) if len(targets) >= MIN_CLIPS_FOR_VAL else 0
        held_out = targets[len(targets) - n_val :]
        # No frame is shared: the last source of a training clip lies before the first source of a validation clip.
        train += [FrameRef(name, n) for n in targets if not held_out or n + after < held_out[0] + before]
        val += [FrameRef(name, n) for n in held_out]
    if not val and len(train) >= MIN_CLIPS_FOR_VAL:
        # No single sequence has 20 clips here, so other sequences remain to train on.
        last = train[-1].sequence
        val = [ref for ref in train if ref.sequence == last]
        train = [ref for ref in train if ref.sequence != last]
    return tuple(train), tuple(val)


def _targets(numbers: Sequence[int], steps: Sequence[int]) -> list[int]:
    existing = set(numbers)
    return [number for number in numbers if all(number + step in existing for step in steps)]
