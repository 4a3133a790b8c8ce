"""How the processes of a run know that they mean each other, and not one that is gone.

torchrun keeps its store when it starts processes again, and in it what those said that were lost. How often it has
started them, every machine counts for itself, and not alike: where a process dies, that counts; where the loss of
another machine ends them, it may not. So each process makes up a name, and the first one calls all by their names until
all have answered the same call.
"""

from __future__ import annotations

import json
import time
from datetime import timedelta
from uuid import uuid4

from torch.distributed.distributed_c10d import PrefixStore, Store

_LOOK_EVERY_S = 0.02
_CALL = "selfdepth/call"


def meet(store: Store, rank: int, size: int, *, within: timedelta) -> Store:
    """The part of a store that belongs to the processes that are alive now.

    Args:
        store: that all of them, and perhaps earlier ones, write into.
        rank: of this process, from 0.
        size: how many there are.
        within: time for all to come.

    Raises:
        RuntimeError: if they do not come.
    """
    deadline_s = time.monotonic() + within.total_seconds()
    call = _call(store, size, deadline_s) if rank == 0 else _answer(store, rank, deadline_s)
    return PrefixStore(f"selfdepth/{call}", store)


def _call(store: Store, size: int, deadline_s: float) -> str:
    """Call the others until all have answered. Called anew when one has another name: it has taken the place of one
    that is gone."""
    places = [_name_of(rank) for rank in range(1, size)]
    call, called = "", list[str]()
    while True:
        names = [name.decode() for name in store.multi_get(places)] if store.check(places) else []
        if names and names != called:
            call, called = uuid4().hex, names
            store.set(_CALL, json.dumps([call, names]))
        if called and store.check([_answer_to(call, name) for name in called]):
            store.set(_begin_of(call), "now")
            return call
        _wait(deadline_s)


def _answer(store: Store, rank: int, deadline_s: float) -> str:
    """Answer the calls with one's own name, until all have answered one."""
    own = uuid4().hex
    store.set(_name_of(rank), own)
    while True:
        if store.check([_CALL]):
            call, names = json.loads(store.get(_CALL))
            if own in names:
                store.set(_answer_to(call, own), "here")
                if store.check([_begin_of(call)]):
                    return str(call)
        _wait(deadline_s)


def _wait(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise RuntimeError("some of them did not come in time")
    time.sleep(_LOOK_EVERY_S)


def _name_of(rank: int) -> str:
    return f"selfdepth/name/{rank}"


def _answer_to(call: str, name: str) -> str:
    return f"selfdepth/{call}/here/{name}"


def _begin_of(call: str) -> str:
    return f"selfdepth/{call}/begin"
