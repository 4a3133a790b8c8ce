"""Which clips make which batch, in an epoch: a pure function of its seed and number.

All clips of a batch have the same views. Where some have a stereo partner and others have none, the two kinds make
batches of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from selfdepth.errors import DataError


def entropy(seed: int, *place: int) -> tuple[int, ...]:
    """The seed of what is drawn at one place of a run; numpy takes no negative ones."""
    return (seed % 2**64, *place)


def epoch_order(seed: int, epoch: int, n: int) -> Int[ndarray, "n"]:
    """The order of the n clips in an epoch."""
    return np.random.default_rng(entropy(seed, epoch)).permutation(n)


def epoch_batches(
    has_partner: Bool[ndarray, "clips"], *, batch_size: int, seed: int, epoch: int
) -> Int[ndarray, "steps b"]:
    """The batches of an epoch, as indices of clips; the last short one of each kind is dropped.

    The clips come in the epoch's order. A batch is due when there are enough clips of its kind, so that the kinds
    alternate as often as their numbers say; with one kind, the batches are simply the order cut into pieces.
    """
    order = epoch_order(seed, epoch, len(has_partner))
    due = []
    for kind in (False, True):
        places = np.flatnonzero(has_partner[order] == kind)
        due.append(places[: len(places) // batch_size * batch_size].reshape(-1, batch_size))
    places = np.concatenate(due)
    return np.asarray(order[places[np.argsort(places[:, -1])]])


def steps_per_epoch(n_of_kind: Sequence[int], batch_size: int) -> int:
    """Full batches in an epoch; the last short one of each kind is dropped.

    Args:
        n_of_kind: clips of each kind.

    Raises:
        DataError: if there is no full batch.
    """
    if sum(n_of_kind) < 1:
        raise DataError(
            "there is no clip to train on",
            expected="frames whose neighbours in time are there too",
            fix="check the split and --every, or give longer sequences",
        )
    steps = sum(n // batch_size for n in n_of_kind)
    if steps < 1:
        raise DataError(
            "there are fewer clips than one batch takes",
            where="--batch-size",
            expected=f"at most {max(n_of_kind)}",
            got=str(batch_size),
            fix=f"add --batch-size {max(n_of_kind)}",
        )
    return steps
