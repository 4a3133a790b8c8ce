"""The first signal is noted, so that a run can save; a second one stops it at once."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from selfdepth.engine.signals import stop_on_signals

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_not_raised(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        assert stop.signal_number is None
        signal.raise_signal(number)
        assert stop.signal_number == number


def test_a_second_ctrl_c_stops_at_once() -> None:
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        # Python calls a handler some instructions later. Two signals before that would be one.
        while stop.signal_number is None:
            time.sleep(0.001)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
            time.sleep(10)
    assert stop.signal_number == signal.SIGINT


def test_afterwards_signals_are_handled_as_before() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with pytest.raises(ZeroDivisionError), stop_on_signals():
        assert [signal.getsignal(number) for number in NUMBERS] != before
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_a_run_in_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def run() -> None:
        with stop_on_signals() as stop:
            seen.append((signal.getsignal(signal.SIGINT), stop.signal_number))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(before, None)]
