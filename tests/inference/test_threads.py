"""Threads beside the network: in order, bounded, and no failure in them is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from selfdepth.inference.threads import Jobs, read_ahead


def test_reading_ahead_changes_nothing_but_the_time() -> None:
    assert list(read_ahead(range(100), depth=3)) == list(range(100))
    assert list(read_ahead([], depth=3)) == []


def test_reading_ahead_stops_at_its_depth_and_with_its_reader() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    ahead = read_ahead(items(), depth=2)
    assert next(ahead) == 0
    time.sleep(0.2)
    assert len(made) <= 5
    ahead.close()
    count = len(made)
    time.sleep(0.2)
    assert len(made) == count <= 6


def test_a_failure_while_reading_comes_out_where_it_would_without_a_thread() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    ahead = read_ahead(items(), depth=5)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)


def test_all_jobs_are_done_when_the_block_ends() -> None:
    done: list[int] = []
    with Jobs(workers=3) as jobs:
        for number in range(50):
            jobs.submit(done.append, number)
    assert sorted(done) == list(range(50))


def test_one_worker_keeps_the_order() -> None:
    done: list[int] = []
    with Jobs(workers=1) as jobs:
        for number in range(20):
            jobs.submit(done.append, number)
    assert done == list(range(20))


def test_what_a_job_raises_comes_out_of_the_block() -> None:
    def fail() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"), Jobs(workers=2) as jobs:
        jobs.submit(fail)


def test_too_many_pending_jobs_make_the_next_one_wait() -> None:
    release = threading.Event()
    submitted: list[int] = []

    def submit_all() -> None:
        with Jobs(workers=1) as jobs:
            for number in range(20):
                jobs.submit(release.wait)
                submitted.append(number)

    thread = threading.Thread(target=submit_all)
    thread.start()
    time.sleep(0.1)
    pending = len(submitted)
    release.set()
    thread.join()
    assert pending == 4
    assert len(submitted) == 20


def test_after_a_failure_in_the_block_jobs_that_have_not_begun_are_dropped() -> None:
    release, done = threading.Event(), []
    with pytest.raises(KeyboardInterrupt), Jobs(workers=1) as jobs:
        jobs.submit(release.wait)
        jobs.submit(done.append, 1)
        threading.Timer(0.1, release.set).start()
        raise KeyboardInterrupt
    assert done == []
