"""Clips as index arithmetic on a store, and batches of them as a function of (seed, epoch, step).

Nothing here has a state that a resumed run could lose: batch `step` of a run is the same whether or not the steps
before it were ever made.
"""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float32, Int
from numpy import ndarray
from torch import Tensor

from selfdepth.data.augment import apply, draw_augmentation
from selfdepth.data.frames import FrameRef
from selfdepth.data.store import Store
from selfdepth.errors import DataError
from selfdepth.structs import Batch

_PREFETCHED = 2
_AUGMENTATION_STREAM = 1
"""Keeps the draws of augmentation apart from those of the order of clips."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipSet:
    """Targets with their sources, as rows of a store.

    Attributes:
        rows: view 0 is the target, then one source per offset.
        K: intrinsics in pixels of the stored frames.
        refs: the targets.
        offsets: times of the sources relative to the target, in units of `spacing`.
        spacing: frames between neighbours.
        n_dropped: targets left out because they, or a neighbour of theirs, are not in the store.
    """

    rows: Int[ndarray, "clips views"] = field(repr=False)
    K: Float32[ndarray, "clips 3 3"] = field(repr=False)
    refs: tuple[FrameRef, ...] = field(repr=False)
    offsets: tuple[int, ...]
    spacing: int
    n_dropped: int

    def __len__(self) -> int:
        return len(self.refs)


def make_clips(store: Store, refs: Sequence[FrameRef], *, offsets: tuple[int, ...], spacing: int = 1) -> ClipSet:
    """Find the rows of every target and its sources, target + offset * spacing; keep the complete clips in order."""
    targets: dict[str, list[int]] = defaultdict(list)
    for i, ref in enumerate(refs):
        targets[ref.sequence].append(i)
    steps = np.array((0, *offsets), dtype=np.int64) * spacing
    numbers = np.array([ref.number for ref in refs], dtype=np.int64)
    rows = np.full((len(refs), len(steps)), -1, dtype=np.int64)
    K = np.zeros((len(refs), 3, 3), dtype=np.float32)
    for name, indices in targets.items():
        sequence = store.by_name.get(name)
        if sequence is not None:
            rows[indices] = sequence.rows(numbers[indices, None] + steps)
            K[indices] = sequence.K
    complete = (rows >= 0).all(axis=1)
    return ClipSet(
        rows=rows[complete],
        K=K[complete],
        refs=tuple(refs[i] for i in np.flatnonzero(complete).tolist()),
        offsets=tuple(offsets),
        spacing=spacing,
        n_dropped=int((~complete).sum()),
    )


def epoch_order(seed: int, epoch: int, n: int) -> Int[ndarray, "n"]:
    """The order of the n clips in an epoch."""
    return np.random.default_rng(_entropy(seed, epoch)).permutation(n)


def steps_per_epoch(n_clips: int, batch_size: int) -> int:
    """Full batches in an epoch; the last short one is dropped.

    Raises:
        DataError: if there is no full batch.
    """
    if n_clips < 1:
        raise DataError(
            "there is no clip to train on",
            expected="frames whose neighbours in time are there too",
            fix="check the split and --every, or give longer sequences",
        )
    if n_clips < batch_size:
        raise DataError(
            "there are fewer clips than one batch takes",
            where="--batch-size",
            expected=f"at most {n_clips}",
            got=str(batch_size),
            fix=f"add --batch-size {n_clips}",
        )
    return n_clips // batch_size


def batch_clips(step: int, *, n_clips: int, batch_size: int, seed: int) -> Int[ndarray, "b"]:
    """Which clips make batch `step` (0 is a run's first): a pure function of (seed, epoch, step)."""
    epoch, position = divmod(step, steps_per_epoch(n_clips, batch_size))
    return epoch_order(seed, epoch, n_clips)[position * batch_size : (position + 1) * batch_size]


class ClipLoader:
    """Batches of a clip set on a device.

    Args:
        batch_size: clips in a batch of this process.
        augment: flip and jitter the training batches.
        rank, world_size: this process among those that share each step; together they make the batches that one
            process would make with world_size times the batch size.
    """

    def __init__(
        self,
        store: Store,
        clips: ClipSet,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        augment: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.store, self.clips = store, clips
        self.batch_size, self.seed = batch_size, seed
        self.device = torch.device(device)
        self.augment = augment
        self.rank, self.world_size = rank, world_size
        self._order: tuple[int, Int[ndarray, "n"]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the clips. Raises DataError if the clips do not fill one batch."""
        return steps_per_epoch(len(self.clips), self.batch_size * self.world_size)

    def indices(self, step: int) -> Int[ndarray, "b"]:
        """Which clips this process sees at a step: its share of `batch_clips`."""
        epoch, position = divmod(step, self.steps_per_epoch)
        # One epoch's order is kept: a permutation of all clips a step would cost more than the batch.
        order = self._order
        if order is None or order[0] != epoch:
            order = self._order = (epoch, epoch_order(self.seed, epoch, len(self.clips)))
        start = (position * self.world_size + self.rank) * self.batch_size
        return order[1][start : start + self.batch_size]

    def batch(self, step: int) -> Batch:
        """The batch of a step: the same whenever it is asked for."""
        return self._finish(step, *self._gather(self.indices(step)))

    def clip(self, index: int) -> Batch:
        """One clip as a batch of its own, without augmentation."""
        frames, K = self._on_device(*self._gather(np.array([index])))
        return Batch(frames=frames, inputs=frames, K=K, offsets=self.clips.offsets)

    def describe(self, step: int) -> list[str]:
        """The targets of a step, for messages: "frame 12 of drive_0001/image_02"."""
        refs = (self.clips.refs[i] for i in self.indices(step).tolist())
        return [f"frame {ref.number} of {ref.sequence}" for ref in refs]

    def iterate(self, start_step: int = 0) -> Generator[Batch, None, None]:
        """Batches from a step on, without end; a thread gathers the frames ahead. Closing the iterator ends it.

        Raises:
            DataError: if the clips do not fill one batch.
        """
        ready: queue.Queue[tuple[int, Tensor, Tensor] | BaseException] = queue.Queue(_PREFETCHED)
        stop = threading.Event()
        worker = threading.Thread(target=self._fill, args=(start_step, ready, stop), daemon=True)
        worker.start()
        try:
            while True:
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                # Device work stays in the caller's thread: another one must not launch while a graph is captured.
                yield self._finish(*item)
        finally:
            stop.set()
            worker.join()

    def evaluation_batches(self, batch_size: int) -> Iterator[tuple[list[FrameRef], Batch]]:
        """All clips in order, without augmentation, with their targets; the last batch may be short."""
        for start in range(0, len(self.clips), batch_size):
            indices = np.arange(start, min(start + batch_size, len(self.clips)))
            frames, K = self._on_device(*self._gather(indices))
            refs = [self.clips.refs[i] for i in indices.tolist()]
            yield refs, Batch(frames=frames, inputs=frames, K=K, offsets=self.clips.offsets)

    def _fill(
        self,
        step: int,
        ready: queue.Queue[tuple[int, Tensor, Tensor] | BaseException],
        stop: threading.Event,
    ) -> None:
        while not stop.is_set():
            item: tuple[int, Tensor, Tensor] | BaseException
            try:
                item = (step, *self._gather(self.indices(step)))
            except BaseException as error:  # handed to the consumer, who raises it
                item = error
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return
            step += 1

    def _gather(self, indices: Int[ndarray, "b"]) -> tuple[Tensor, Tensor]:
        rows = self.clips.rows[indices]
        pixels = self.store.gather(rows.reshape(-1))
        pixels = pixels.view(*rows.shape, *pixels.shape[1:])
        K = torch.from_numpy(self.clips.K[indices])
        if self.device.type == "cuda":
            return pixels.pin_memory(), K.pin_memory()
        return pixels, K

    def _on_device(self, pixels: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
        pinned = self.device.type == "cuda"
        frames = pixels.to(self.device, non_blocking=pinned).to(torch.float32).div_(255)
        return frames, K.to(self.device, non_blocking=pinned)

    def _finish(self, step: int, pixels: Tensor, K: Tensor) -> Batch:
        frames, K = self._on_device(pixels, K)
        inputs = frames
        if self.augment:
            seed = np.random.SeedSequence(_entropy(self.seed, step, _AUGMENTATION_STREAM))
            generator = torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
            # Drawn for the step of all processes and then shared out, so the split does not change the run.
            drawn = draw_augmentation(self.batch_size * self.world_size, generator)
            mine = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
            frames, inputs, K = apply(frames, K, drawn[mine])
        return Batch(frames=frames, inputs=inputs, K=K, offsets=self.clips.offsets)


def _entropy(seed: int, *place: int) -> tuple[int, ...]:
    # numpy takes no negative seeds.
    return (seed % 2**64, *place)
