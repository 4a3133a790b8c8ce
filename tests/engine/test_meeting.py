"""Processes that are alive find each other, whatever those have left in the store that are gone."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import HashStore, Store

from selfdepth.engine.meeting import meet

SOON, LATE = timedelta(seconds=0.2), timedelta(minutes=2)


def all_meet(store: Store, size: int) -> list[Store]:
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: meet(store, rank, size, within=LATE), range(size)))


def are_together(stores: list[Store], key: str = "word") -> bool:
    """Whether what one writes, all read."""
    stores[0].set(key, "said")
    return all(store.check([key]) and store.get(key) == b"said" for store in stores)


@pytest.mark.parametrize("size", [2, 5])
def test_all_get_the_same_part_of_the_store_and_every_start_another(size: int) -> None:
    store = HashStore()
    first, second = all_meet(store, size), all_meet(store, size)
    assert are_together(first)
    assert not second[0].check(["word"]), "nothing of the first start is left in it"
    assert are_together(second)


def test_one_that_comes_in_the_place_of_one_that_is_gone_is_waited_for() -> None:
    store = HashStore()
    with pytest.raises(RuntimeError, match="did not come"):
        meet(store, 1, 3, within=SOON)  # leaves its name, and is gone
    with ThreadPoolExecutor(3) as pool:
        early: list[Future[Store]] = [pool.submit(meet, store, rank, 3, within=LATE) for rank in (0, 2)]
        with pytest.raises(RuntimeError, match="did not come"):
            meet(store, 1, 4, within=timedelta(0))  # called, perhaps, and gone again
        together = [*(each.result() for each in [*early, pool.submit(meet, store, 1, 3, within=LATE)])]
    assert are_together(together)


@pytest.mark.parametrize("rank", [0, 1])
def test_who_is_left_alone_gives_up(rank: int) -> None:
    with pytest.raises(RuntimeError, match="did not come"):
        meet(HashStore(), rank, 2, within=SOON)
