"""The first signal is noted, so that a run can save; a second one stops it at once."""

from __future__ import annotations

import signal
import threading

import pytest

from selfdepth.engine.signals import stop_on_signals

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_not_raised(number: signal.Signals) -> None:
    # `nohup` starts programs with SIGHUP ignored, and shells start background jobs with SIGINT ignored.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with stop_on_signals() as stop:
            assert stop.signal_number is None
            signal.raise_signal(number)
            assert stop.signal_number == number
    finally:
        signal.signal(number, before)


def test_a_second_ctrl_c_stops_at_once() -> None:
    # A shell starts background jobs with the interrupt ignored, and then the second one would be, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert stop.signal_number == signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.signal_number is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


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
