"""Clips: which targets have all that they need."""

from __future__ import annotations

import pytest

from selfdepth.data.clips.clips import ClipSet, make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.store import Store


def test_targets_without_all_neighbours_are_dropped_and_counted(store: Store, clips: ClipSet) -> None:
    numbers = {name: [ref.number for ref in clips.refs if ref.sequence == name] for name in ("first", "second")}
    assert numbers == {"first": [*range(6, 16), 21, 22, 23], "second": [*range(1, 12)]}
    assert clips.n_dropped == len(store.train) - len(clips) == 4


def test_targets_of_unknown_frames_or_sequences_are_dropped_and_counted(store: Store) -> None:
    refs = [FrameRef("first", 8), FrameRef("first", 999), FrameRef("nowhere", 8)]
    made = make_clips(store, refs, offsets=(1,))
    assert made.refs == (FrameRef("first", 8),)
    assert made.n_dropped == 2


def test_the_nominal_baseline_is_a_tenth_to_the_partners_side(pairs: Store) -> None:
    clips = make_clips(pairs, pairs.train, offsets=(), stereo="nominal")
    assert clips.T_stereo_target is not None
    for ref, T in zip(clips.refs, clips.T_stereo_target, strict=True):
        assert T[:3, 3].tolist() == pytest.approx([-0.1 if ref.sequence == "left" else 0.1, 0, 0])


def test_from_pairs_alone_targets_without_a_partner_are_left_out_unless_their_depth_is_evaluated(pairs: Store) -> None:
    clips = make_clips(pairs, pairs.train, offsets=(), stereo="calibrated")
    assert clips.has_partner.all()
    assert (len(clips), clips.n_dropped) == (12 + 10, len(pairs.train) - 22)
    evaluated = make_clips(pairs, pairs.train, offsets=(), stereo="calibrated", lone_targets=True)
    assert (len(evaluated), evaluated.n_dropped, len(evaluated.with_source)) == (len(pairs.train), 0, 22)
    seen = list(ClipLoader(pairs, evaluated, batch_size=4, seed=3, device="cpu").evaluation_batches(5))
    assert sum(len(refs) for refs, _ in seen) == len(evaluated)
    for refs, batch in seen:
        assert batch.frames.shape[1] == (1 if batch.T_stereo_target is None else 2)
        assert len(refs) == len(batch.frames) <= 5
