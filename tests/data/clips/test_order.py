"""The order of clips: a pure function of seed and epoch, in batches of one kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth.data.clips.order import Windows, entropy, epoch_batches, epoch_order, steps_per_epoch
from selfdepth.errors import DataError

GOLDEN = [0, 5, 8, 4, 7, 2, 6, 3, 1, 9]
"""The order of ten clips in epoch 5 with seed 3."""


def test_every_clip_is_seen_at_most_once_an_epoch_and_only_a_short_batch_is_dropped() -> None:
    for epoch in range(3):
        batches = epoch_batches(np.zeros(23, dtype=bool), batch_size=5, seed=1, epoch=epoch)
        assert batches.shape == (4, 5)
        assert len(np.unique(batches)) == 20
        assert np.array_equal(batches.reshape(-1), epoch_order(1, epoch, 23)[:20])


def test_epochs_have_different_orders_of_all_clips() -> None:
    orders = [epoch_order(0, epoch, 50) for epoch in range(3)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(50))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])


@pytest.mark.parametrize(
    ("n_clips", "sentence"), [(0, "no clip to train on"), (11, "--batch-size; expected at most 11; got 12")]
)
def test_fewer_clips_than_a_batch_are_refused_with_the_size_that_fits(n_clips: int, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        steps_per_epoch((n_clips,), 12)


@given(
    has_partner=st.lists(st.booleans(), min_size=1, max_size=60),
    batch_size=st.integers(1, 5),
    epoch=st.integers(0, 3),
)
def test_batches_are_of_one_kind_complete_and_without_repetition(
    has_partner: list[bool], batch_size: int, epoch: int
) -> None:
    kinds = np.array(has_partner)
    batches = epoch_batches(kinds, batch_size=batch_size, seed=2, epoch=epoch)
    assert len(np.unique(batches)) == batches.size
    assert all(len(set(kinds[batch])) == 1 for batch in batches)
    n_of_kind = (int((~kinds).sum()), int(kinds.sum()))
    assert len(batches) == sum(n // batch_size for n in n_of_kind)
    if len(batches):
        assert len(batches) == steps_per_epoch(n_of_kind, batch_size)


def test_a_batch_comes_as_soon_as_its_last_clip_does() -> None:
    kinds = np.arange(40) % 4 == 0  # one clip in four has a partner
    batches = epoch_batches(kinds, batch_size=2, seed=0, epoch=0)
    position = {int(clip): place for place, clip in enumerate(epoch_order(0, 0, 40))}
    last = [max(position[int(clip)] for clip in batch) for batch in batches]
    assert last == sorted(last)


def test_an_order_stays_what_it_is_so_that_a_run_can_go_on_with_it() -> None:
    assert epoch_order(3, 5, 10).tolist() == GOLDEN
    for kind in (False, True):
        batches = epoch_batches(np.full(10, kind), batch_size=3, seed=3, epoch=5)
        assert (batches.tolist(), batches.dtype) == ([GOLDEN[:3], GOLDEN[3:6], GOLDEN[6:9]], np.int64)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 4))
def test_batches_are_those_that_filling_one_clip_at_a_time_gives(has_partner: list[bool], batch_size: int) -> None:
    filled: list[list[int]] = []
    open_batches: dict[bool, list[int]] = {False: [], True: []}
    for clip in epoch_order(1, 2, len(has_partner)).tolist():
        batch = open_batches[has_partner[clip]]
        batch.append(clip)
        if len(batch) == batch_size:
            filled.append([*batch])
            batch.clear()
    assert epoch_batches(np.array(has_partner), batch_size=batch_size, seed=1, epoch=2).tolist() == filled


def test_seeds_and_epochs_give_orders_of_their_own_that_can_be_repeated() -> None:
    assert np.array_equal(epoch_order(3, 5, 50), epoch_order(3, 5, 50))
    assert not np.array_equal(epoch_order(3, 5, 50), epoch_order(4, 5, 50))
    assert not np.array_equal(epoch_order(-3, 0, 50), epoch_order(3, 0, 50)), "negative seeds are seeds, too"


def test_draws_at_different_places_have_different_seeds() -> None:
    places = [entropy(seed, *place) for seed in (-1, 0, 1) for place in ((0,), (1,), (0, 1), (1, 1))]
    assert len(set(places)) == len(places)
    assert all(number >= 0 for place in places for number in place)


RUN_OF = np.repeat(np.arange(9), (5, 7, 3, 6, 1, 8, 4, 2, 6))
"""42 clips in nine runs."""


def slow_windows(seed: int, epoch: int, run_of: list[int], size: int) -> list[int]:
    rng = np.random.default_rng((seed, epoch))
    rank = {run: place for run, place in enumerate(rng.permutation(max(run_of) + 1).tolist())}
    clips = sorted(range(len(run_of)), key=lambda clip: (rank[run_of[clip]], clip))
    order: list[int] = []
    while clips:
        window, clips = clips[:size], clips[size:]
        order += rng.permutation(window).tolist()
    return order


@pytest.mark.parametrize("size", [1, 4, 10, 42, 1000])
@pytest.mark.parametrize("epoch", [0, 3])
def test_windows_are_runs_in_random_order_of_which_the_clips_of_a_window_are_shuffled(size: int, epoch: int) -> None:
    order = epoch_order(7, epoch, len(RUN_OF), Windows(RUN_OF, size))
    assert order.tolist() == slow_windows(7, epoch, RUN_OF.tolist(), size)
    assert np.array_equal(np.sort(order), np.arange(len(RUN_OF)))


def test_a_window_needs_few_runs_at_a_time() -> None:
    size = 10
    for start in range(0, len(RUN_OF), size):
        runs = RUN_OF[epoch_order(0, 0, len(RUN_OF), Windows(RUN_OF, size))[start : start + size]]
        # All but the first and the last run of a window are in it as a whole.
        whole = [run for run in set(runs.tolist()) if (runs == run).sum() == (run == RUN_OF).sum()]
        assert len(whole) >= len(set(runs.tolist())) - 2


def test_without_clips_there_is_no_order() -> None:
    assert epoch_order(0, 0, 0, Windows(np.zeros(0, np.int64), 4)).tolist() == []
