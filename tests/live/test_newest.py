"""The slot of the newest value, and rates."""

from __future__ import annotations

import threading

import pytest

from selfdepth.live.newest import Newest, Rate


def test_a_slow_taker_gets_the_newest_value_and_none_of_those_before() -> None:
    slot: Newest[str] = Newest()
    for word in ("first", "second", "third"):
        slot.put(word)
    assert slot.after(0, 0.0) == (3, "third")
    assert slot.after(3, 0.0) is None


def test_every_taker_gets_the_value() -> None:
    slot: Newest[str] = Newest()
    slot.put("frame")
    assert [slot.after(0, 0.0) for _ in range(3)] == [(1, "frame")] * 3


def test_nothing_but_the_newest_value_is_kept_in_memory() -> None:
    slot: Newest[bytearray] = Newest()
    for _ in range(5):
        slot.put(bytearray(10))
    held = [value for value in vars(slot).values() if isinstance(value, bytearray | list | dict)]
    assert len(held) == 1


def test_a_taker_who_waits_is_woken_by_a_value() -> None:
    slot: Newest[int] = Newest()
    found: list[tuple[int, int] | None] = []
    taker = threading.Thread(target=lambda: found.append(slot.after(0, 60.0)))
    taker.start()
    slot.put(7)
    taker.join(30)
    assert found == [(1, 7)]


def test_closing_wakes_who_waits_and_leaves_the_last_value() -> None:
    slot: Newest[int] = Newest()
    slot.put(1)
    slot.close()
    slot.put(2)
    assert slot.closed and slot.after(0, 60.0) == (1, 1)
    assert slot.after(1, 60.0) is None
    empty: Newest[int] = Newest()
    empty.close()
    assert empty.after(0, 60.0) is None and empty.peek(60.0) is None


def test_looking_at_a_value_does_not_take_it() -> None:
    slot, stop = Newest[int](), threading.Event()
    slot.put(1)
    assert slot.peek(0.0) == 1
    waiter = threading.Thread(target=slot.wait_until_taken, args=(stop,))
    waiter.start()
    waiter.join(0.3)
    assert waiter.is_alive()
    slot.after(0, 0.0)
    waiter.join(30)
    assert not waiter.is_alive()


@pytest.mark.parametrize("end", ["close", "stop"])
def test_who_waits_for_a_taker_is_let_go_at_the_end(end: str) -> None:
    slot, stop = Newest[int](), threading.Event()
    slot.put(1)
    waiter = threading.Thread(target=slot.wait_until_taken, args=(stop,))
    waiter.start()
    slot.close() if end == "close" else stop.set()
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(span_s=5.0)
    assert rate.per_second(0.0) == 0.0
    for i in range(100):
        rate.count(i / 10)  # ten a second
    assert rate.per_second(10.0) == pytest.approx(10.0)
    assert rate.per_second(16.0) == 0.0


def test_a_rate_remembers_a_bounded_number_of_events() -> None:
    rate = Rate(span_s=1e9, most=16)
    for i in range(1000):
        rate.count(i / 1000)
    assert len(rate._times) == 16 and rate.per_second(1.0) == pytest.approx(1000)
