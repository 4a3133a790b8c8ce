"""Runs of neighbouring frames: every frame has one, and no clip crosses an item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.clips.clips import make_clips
from selfdepth.data.frames import StereoPartner
from selfdepth.data.store.build import build_store
from selfdepth.data.store.run_plan import plan_runs
from selfdepth.data.store.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A drive with gaps, a single frame, and a pair whose cameras began and stopped at other times."""
    folder = tmp_path_factory.mktemp("runs")
    gaps = sequence(folder / "a", "gaps", (*range(5, 17), *range(20, 26), *range(90, 113)))
    one = sequence(folder / "b", "one", (7,))
    left = sequence(folder / "c", "left", tuple(range(31)))
    right = sequence(folder / "d", "right", tuple(range(12, 40)))
    left = replace(left, partner=StereoPartner(sequence="right", translation_m=(-0.5, 0.0, 0.0)))
    right = replace(right, partner=StereoPartner(sequence="left", translation_m=(0.5, 0.0, 0.0)))
    return build_store(footage(left, gaps, right, one, n_val=1), folder / "store", width=32, height=32)


@pytest.mark.parametrize("run_frames", [1, 4, 10, 48])
@pytest.mark.parametrize("reach", [1, 3])
def test_a_run_holds_its_own_frames_and_those_that_their_clips_need(store: Store, run_frames: int, reach: int) -> None:
    runs = plan_runs(store.sequences, reach, run_frames=run_frames)
    seen = np.zeros(len(store.frames), bool)
    for run in range(len(runs)):
        pieces = runs.pieces(run)
        held = np.concatenate([np.arange(piece.first, piece.stop) for piece in pieces])
        own = np.flatnonzero(runs.of_row == run)
        assert len(own)
        assert set(own) <= set(held)
        assert runs.n_frames(run) == len(held) <= 2 * (run_frames + 2 * reach)
        assert [piece.place for piece in pieces] == np.cumsum([0, *(p.stop - p.first for p in pieces[:-1])]).tolist()
        seen[own] = True
    assert seen.all()


@pytest.mark.parametrize("stereo", ["none", "calibrated"])
@pytest.mark.parametrize("offsets", [(-1, 1), (-2, -1, 1, 2)])
def test_every_view_of_a_clip_is_where_it_is_said_to_be(store: Store, offsets: tuple[int, ...], stereo: str) -> None:
    runs = plan_runs(store.sequences, 1, run_frames=4)
    rows = make_clips(store, store.train, offsets=offsets, stereo=stereo).rows  # type: ignore[arg-type]
    rows = np.where(rows < 0, rows[:, :1], rows)
    of_run, place = runs.where(rows)
    held = [
        np.concatenate([np.arange(piece.first, piece.stop) for piece in runs.pieces(run)]) for run in range(len(runs))
    ]
    read = np.array([held[run][at] for run, at in zip(of_run.flat, place.flat, strict=True)]).reshape(rows.shape)
    assert np.array_equal(read, rows)
    one_item = (of_run == runs.of_row[rows[:, :1]]).all(axis=1)
    assert one_item.all() == (max(offsets) == 1), "a clip that reaches further than planned is read from several items"


def test_the_frames_of_a_pair_are_in_one_run(store: Store) -> None:
    runs = plan_runs(store.sequences, 1, run_frames=10)
    of = {each.name: runs.of_row[each.rows(np.arange(12, 31))] for each in store.sequences}
    assert np.array_equal(of["left"], of["right"])


def test_sequences_follow_each_other_without_sharing_runs(store: Store) -> None:
    runs = store.runs
    of = {each.name: set(runs.of_row[each.start : each.start + len(each.numbers)].tolist()) for each in store.sequences}
    assert of == {"left": {0}, "right": {0}, "gaps": {1}, "one": {2}}
