"""Clips: which targets have all that they need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.config import Stereo
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


def one_by_one(
    store: Store, refs: Sequence[FrameRef], offsets: tuple[int, ...], spacing: int, stereo: Stereo
) -> list[tuple[FrameRef, list[int], ndarray, ndarray]]:
    """The slow twin of `make_clips`: reference, rows, K and T of each complete clip."""
    row_of = {
        FrameRef(each.name, number): each.start + i for each in store.sequences for i, number in enumerate(each.numbers)
    }
    clips = []
    for ref in refs:
        rows = [row_of.get(FrameRef(ref.sequence, ref.number + offset * spacing), -1) for offset in (0, *offsets)]
        if min(rows) < 0:
            continue
        sequence, T, partner_row = store.by_name[ref.sequence], np.eye(4, dtype=np.float32), -1
        if stereo != "none":
            partner = sequence.partner
            if partner is not None:
                partner_row = row_of.get(FrameRef(partner.sequence, ref.number), -1)
                x, y, z = partner.translation_m
                T[:3, 3] = (x, y, z) if stereo == "calibrated" else (np.copysign(0.1, x), 0, 0)
            rows.append(partner_row)
        if partner_row < 0 and not offsets:
            continue
        clips.append((ref, rows, sequence.K.astype(np.float32), T))
    return clips


@pytest.mark.parametrize("stereo", ["none", "calibrated", "nominal"])
@pytest.mark.parametrize(("offsets", "spacing"), [((-1, 1), 1), ((-1, 1), 2), ((), 1), ((2, -1, 1), 1)])
def test_clips_are_those_made_one_by_one_in_any_order(
    store: Store, pairs: Store, offsets: tuple[int, ...], spacing: int, stereo: Stereo
) -> None:
    for each in (store, pairs):
        frames = [FrameRef(sequence.name, number) for sequence in each.sequences for number in sequence.numbers]
        frames += [FrameRef("nowhere", 3), FrameRef(each.sequences[0].name, 99), *frames[3:9]]
        shuffled = [frames[i] for i in np.random.default_rng(0).permutation(len(frames))]
        for refs in (each.train, frames, shuffled, ()):
            clips = make_clips(each, refs, offsets=offsets, spacing=spacing, stereo=stereo)
            expected = one_by_one(each, refs, offsets, spacing, stereo)
            assert clips.refs == tuple(ref for ref, *_ in expected)
            assert (len(clips), clips.n_dropped) == (len(expected), len(refs) - len(expected))
            assert clips.rows.tolist() == [rows for _, rows, *_ in expected]
            assert clips.rows.dtype == np.int64 and clips.K.dtype == np.float32
            assert np.array_equal(clips.K, np.array([K for *_, K, _ in expected], np.float32).reshape(-1, 3, 3))
            assert (clips.T_stereo_target is None) == (stereo == "none")
            if clips.T_stereo_target is not None:
                assert clips.T_stereo_target.dtype == np.float32
                T = np.array([T for *_, T in expected], np.float32).reshape(-1, 4, 4)
                assert np.array_equal(clips.T_stereo_target, T)
