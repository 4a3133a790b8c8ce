"""Threads beside the network: one that reads ahead, and some that write."""

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
    """The same items, made by another thread up to `depth` items early. An exception in it comes out here."""
    ready: queue.Queue[_T | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: _T | _End) -> None:
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
        except BaseException as error:
            put(_End(error))

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
    error: BaseException | None = None


class Jobs:
    """Threads that work off jobs; `submit` waits while too many are pending, and raises what a job raised."""

    def __init__(self, *, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)
        self._pending: deque[Future[None]] = deque()
        self._limit = 4 * workers

    def submit(self, function: Callable[..., None], *arguments: object) -> None:
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
