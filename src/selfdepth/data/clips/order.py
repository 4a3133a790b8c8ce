"""The clips of each batch of an epoch, a pure function of the seed and the epoch's number.

All clips of a batch have the same views. If some have a stereo partner and others do not, the two kinds go into
separate batches.

Clips are shuffled over the whole data, or, for data that are read from far away, in windows: the runs of neighbouring
frames are shuffled, and then the clips within each window of so many clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from selfdepth.errors import DataError


@dataclass(frozen=True, eq=False)
class Windows:
    """How clips are shuffled in windows.

    Attributes:
        run_of: the run of neighbouring frames of each clip.
        clips: number of clips of a window.
    """

    run_of: Int[ndarray, "clips"] = field(repr=False)
    clips: int


def entropy(seed: int, *place: int) -> tuple[int, ...]:
    """Seed of the draw at one place of a run, such as (step, stream)."""
    return (seed % 2**64, *place)  # numpy refuses negative seeds


def epoch_order(seed: int, epoch: int, n: int, windows: Windows | None = None) -> Int[ndarray, "n"]:
    """Order of the n clips in an epoch: a permutation of 0 to n - 1.

    Args:
        windows: shuffle in these; None: over all clips.
    """
    rng = np.random.default_rng(entropy(seed, epoch))
    if windows is None or not n:
        return rng.permutation(n)
    place = rng.permutation(int(windows.run_of.max()) + 1)
    order = np.argsort(place[windows.run_of], kind="stable")
    for start in range(0, n, windows.clips):
        window = order[start : start + windows.clips]
        window[:] = rng.permutation(window)
    return order


def epoch_batches(
    has_partner: Bool[ndarray, "clips"], *, batch_size: int, seed: int, epoch: int, windows: Windows | None = None
) -> Int[ndarray, "steps b"]:
    """The batches of an epoch, as indices of clips. The last, incomplete batch of each kind is dropped.

    The clips come in the epoch's order, and a batch is made as soon as there are enough clips of its kind. So the kinds
    alternate in proportion to their numbers. With a single kind, the batches are the order cut into pieces.
    """
    order = epoch_order(seed, epoch, len(has_partner), windows)
    if has_partner.all() or not has_partner.any():  # which takes a few scans less than what follows
        return np.asarray(order[: len(order) // batch_size * batch_size].reshape(-1, batch_size))
    batches = []
    for kind in (False, True):
        positions = np.flatnonzero(has_partner[order] == kind)
        batches.append(positions[: len(positions) // batch_size * batch_size].reshape(-1, batch_size))
    positions = np.concatenate(batches)
    # A batch is complete at the position of its last clip, which therefore decides when it comes.
    return np.asarray(order[positions[np.argsort(positions[:, -1])]])


def steps_per_epoch(n_of_kind: Sequence[int], batch_size: int) -> int:
    """Number of full batches in an epoch. The last, incomplete batch of each kind is dropped.

    Args:
        n_of_kind: number of clips of each kind.
        batch_size: clips per batch of all processes together.

    Raises:
        DataError: if there is no full batch.
    """
    if sum(n_of_kind) < 1:
        raise DataError(
            "there is no clip to train on",
            expected="frames with their neighbours in time",
            fix="check the split and --every, or give longer sequences",
        )
    steps = sum(n // batch_size for n in n_of_kind)
    if steps < 1:
        raise DataError(
            "there are fewer clips than one batch holds",
            where="--batch-size",
            expected=f"at most {max(n_of_kind)}",
            got=str(batch_size),
            fix=f"add --batch-size {max(n_of_kind)}",
        )
    return steps
