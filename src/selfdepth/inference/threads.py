"""Threads beside the network, one that reads ahead and several that write.

Decoding, encoding and file access release Python's global lock, so threads suffice, and frames need not be copied
between processes.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

_T = TypeVar("_T")


def read_ahead(items: Iterable[_T], depth: int) -> Iterator[_T]:
    """The same items in the same order, produced by another thread up to `depth` items ahead.

    The bound keeps a long video from filling the memory. An exception of `items` is raised here, after the items before
    it. Closing the iterator ends the thread.
    """
    ready: queue.Queue[_T | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: _T | _End) -> None:
        # With a timeout: a plain put would block for ever if the reader stops while the queue is full.
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                break

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
            put(_End())
        except BaseException as error:  # of any kind: an error lost here would leave the reader waiting for ever
            put(_End(error))

    # A daemon: a thread that hangs in a broken file must not keep the program from ending.
    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class _End:
    """The last item in the queue, with the exception that ended the work, if any."""

    error: BaseException | None = None


class Jobs:
    """A context with threads that execute jobs. Leaving it waits for all of them, or after an exception drops the rest.

    Args:
        workers: number of threads; with one, jobs are executed in the order of their submission.
    """

    def __init__(self, *, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)
        self._pending: deque[Future[None]] = deque()
        self._limit = 4 * workers

    def submit(self, function: Callable[..., None], *arguments: object) -> None:
        """Queue a call. Waits while four jobs per worker are pending, so that frames do not pile up in memory, and
        raises the exception of an earlier job."""
        while len(self._pending) >= self._limit:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(function, *arguments))

    def __enter__(self) -> Jobs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while error is None and self._pending:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
