"""The colour augmentation of Monodepth v1: its ranges, a slow twin, and what it leaves alone."""

from __future__ import annotations

import torch

from selfdepth.data.clips.colour_shift import ColourShift, draw_colour_shift, shift_colours
from selfdepth.structs import Batch


def batch(b: int) -> Batch:
    frames = torch.rand(b, 2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    return Batch(frames=frames, inputs=frames, K=torch.eye(3).repeat(b, 1, 1), offsets=())


def test_half_of_the_clips_are_changed_and_the_draws_fill_their_ranges() -> None:
    drawn = draw_colour_shift(4000, torch.Generator().manual_seed(0))
    chosen = drawn.gamma != 1
    assert 0.45 < float(chosen.float().mean()) < 0.55
    assert bool((drawn.factor[~chosen] == 1).all())
    gamma, factor = drawn.gamma[chosen], drawn.factor[chosen]
    assert 0.8 <= gamma.min() < 0.81 and 1.19 < gamma.max() <= 1.2
    assert 0.4 <= factor.min() < 0.45 and 2.2 < factor.max() <= 2.4  # brightness in [.5, 2] times a colour in [.8, 1.2]
    assert 1 < (factor.amax(1) / factor.amin(1)).max() <= 1.5 + 1e-5  # of the colours alone


def test_the_inputs_of_all_views_are_those_of_a_slow_loop_and_the_frames_stay_clean() -> None:
    clips = batch(3)
    shift = ColourShift(
        gamma=torch.tensor([1.0, 0.8, 1.2]), factor=torch.tensor([[1.0, 1.0, 1.0], [0.5, 0.6, 0.4], [2.0, 2.4, 1.6]])
    )
    shifted = shift_colours(clips, shift)
    assert torch.equal(shifted.frames, clips.frames) and torch.equal(shifted.inputs[0], clips.frames[0])
    for clip in range(3):
        for colour in range(3):
            slow = clips.frames[clip, :, colour] ** float(shift.gamma[clip]) * float(shift.factor[clip, colour])
            assert torch.allclose(shifted.inputs[clip, :, colour], slow.clamp(0, 1))
    assert torch.equal(shift[1:].gamma, shift.gamma[1:]) and torch.equal(shift[1:].factor, shift.factor[1:])
