"""Batches of clips as a function of (seed, epoch, step).

There is no state that a resumed run could lose: the batch of a step is the same whether or not the batches of earlier
steps were ever made.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.config.augment import AugmentConfig
from selfdepth.data.clips.augment import apply, draw_augmentation
from selfdepth.data.clips.clips import ClipSet
from selfdepth.data.clips.colour_shift import draw_colour_shift, shift_colours
from selfdepth.data.clips.order import entropy, epoch_batches, steps_per_epoch
from selfdepth.data.clips.weather import add_weather, draw_weather
from selfdepth.data.clips.zoom import apply_zoom, draw_zoom
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.store import Store
from selfdepth.structs import Batch, Driven

_PREFETCHED = 2
"""Batches that the thread gathers ahead of the training step."""
_AUGMENTATION_STREAM, _ZOOM_STREAM, _WEATHER_STREAM = 1, 2, 3
"""Make the draws of each kind of augmentation independent of the others and of the clips' order, which come from the
same seed. So switching one on leaves the others as they were."""
_FLIP_AND_JITTER = AugmentConfig()


class _Gathered(NamedTuple):
    """Frames (uint8, or their rows if the frames are on the device), geometry, a teacher's maps (16 bits, or their
    indices likewise), driven metres, and the numbers of the lenses and cameras of some clips, on the host."""

    pixels: Tensor
    K: Tensor
    T_stereo_target: Tensor | None
    teacher: Tensor | None
    driven_m: Tensor | None
    lens_of: Tensor | None
    camera: Tensor | None


class ClipLoader:
    """Batches of a clip set on a device.

    Args:
        batch_size: clips per batch of this process.
        seed: seed of the order of clips and of their augmentation.
        augment: how training batches are changed; None: leave them as they are.
        resident: the store's frames on the device, if they fit there (`data.clips.resident`).
        share: (rank, world size) of this process. Together, the processes make the batches that one process would make
            with world size times the batch size.
    """

    def __init__(
        self,
        store: Store,
        clips: ClipSet,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        augment: AugmentConfig | None = _FLIP_AND_JITTER,
        resident: UInt8[Tensor, "n 3 h w"] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.store, self.clips = store, clips
        self.batch_size, self.seed = batch_size, seed
        self.device = torch.device(device)
        self.augment, self.resident = augment, resident
        self.rank, self.world_size = share
        self._lenses = None if clips.lenses is None else clips.lenses.table.to(self.device)
        self._orders: dict[int, Int[ndarray, "steps n"]] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in one pass over the clips. Raises DataError if the clips do not fill one batch."""
        return steps_per_epoch(self.clips.n_of_kind, self.batch_size * self.world_size)

    def indices(self, step: int) -> Int[ndarray, "b"]:
        """The clips of this process at a step (0 is the first step of a run): its share of `epoch_batches`."""
        start = self.rank * self.batch_size
        return self._clips_of_step(step)[start : start + self.batch_size]

    def _clips_of_step(self, step: int) -> Int[ndarray, "n"]:
        """Those of all processes."""
        epoch, position = divmod(step, self.steps_per_epoch)
        batch: Int[ndarray, "n"] = self._batches(epoch)[position]
        return batch

    def _batches(self, epoch: int) -> Int[ndarray, "steps n"]:
        """The clips of all processes at every step of an epoch."""
        # Cached, with the epoch after or before: to permute all clips at each step would cost more than the batch.
        found = self._orders.get(epoch)
        if found is None:
            size = self.batch_size * self.world_size
            options: dict[str, Any] = {"batch_size": size, "seed": self.seed, "windows": self.clips.windows}
            found = epoch_batches(self.clips.has_partner, epoch=epoch, **options)
            near = {each: order for each, order in self._orders.items() if abs(each - epoch) == 1}
            self._orders = {**near, epoch: found}
        return found

    def _look_ahead(self, step: int) -> None:
        """Tell the store which clips come next, in all processes of a machine, which share its cache."""
        if not self.store.look_ahead or self.resident is not None:
            return
        epoch, position = divmod(step, self.steps_per_epoch)
        coming = self._batches(epoch)[position:].reshape(-1)
        if len(coming) < self.store.look_ahead:
            coming = np.concatenate([coming, self._batches(epoch + 1).reshape(-1)])
        self.store.expect("train", self.clips.rows[coming[: self.store.look_ahead]])

    def batch(self, step: int) -> Batch:
        """The batch of a step, the same at every call."""
        return self._finish(step, self._gather(self.indices(step)))

    def clip(self, index: int) -> Batch:
        """One clip as a batch of its own, without augmentation."""
        return self._on_device(self._gather(np.array([index])))

    def describe(self, step: int) -> list[str]:
        """The targets of a step, for error messages: "frame 12 of drive_0001/image_02"."""
        refs = (self.clips.refs[i] for i in self.indices(step).tolist())
        return [f"frame {ref.number} of {ref.sequence}" for ref in refs]

    def iterate(self, start_step: int = 0) -> Generator[Batch, None, None]:
        """Endless batches from a step on, with frames gathered ahead in a thread. Closing the iterator ends the thread.

        Raises:
            DataError: if the clips do not fill one batch.
        """
        ready: queue.Queue[tuple[int, _Gathered] | BaseException] = queue.Queue(_PREFETCHED)
        stop = threading.Event()
        # A daemon: it must not keep the program alive if the consumer dies without closing the iterator.
        worker = threading.Thread(target=self._fill, args=(start_step, ready, stop), daemon=True)
        worker.start()
        try:
            while True:
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                # Device work stays in the caller's thread: no other may launch kernels while a CUDA graph is captured.
                yield self._finish(*item)
        finally:
            stop.set()
            worker.join()

    def evaluation_batches(
        self, batch_size: int, *, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[list[FrameRef], Batch]]:
        """All clips without augmentation, as (targets, batch): clips without a stereo partner first, then those with
        one. The last batch of each may be short.

        Args:
            share: (rank, n): of every n batches, only that of this rank, counted from 0.
        """
        has_partner = self.clips.has_partner
        kinds = [np.flatnonzero(has_partner == kind) for kind in (False, True)]
        order, number = np.concatenate(kinds), 0
        for place, alike in zip((0, len(kinds[0])), kinds, strict=True):
            for start in range(0, len(alike), batch_size):
                number += 1
                if (number - 1) % share[1] != share[0]:
                    continue
                if self.store.look_ahead:
                    coming = order[place + start :][: self.store.look_ahead]
                    self.store.expect("evaluation", self.clips.rows[coming])
                indices = alike[start : start + batch_size]
                yield [self.clips.refs[i] for i in indices.tolist()], self._on_device(self._gather(indices))
        self.store.expect("evaluation", self.clips.rows[:0])

    def _fill(
        self,
        step: int,
        ready: queue.Queue[tuple[int, _Gathered] | BaseException],
        stop: threading.Event,
    ) -> None:
        """Gather batches from `step` on into the queue until `stop` is set or an error occurs; runs in the thread."""
        while not stop.is_set():
            item: tuple[int, _Gathered] | BaseException
            try:
                self._look_ahead(step)
                item = (step, self._gather(self.indices(step)))
            except BaseException as error:  # passed to the consumer, which raises it
                item = error
            while not stop.is_set():
                try:
                    # With a time limit: a consumer that is gone never makes room, and only sets `stop`.
                    ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return
            step += 1

    def _gather(self, indices: Int[ndarray, "b"]) -> _Gathered:
        """The views of clips that either all have a stereo partner or all have none."""
        # The last view of a clip without a partner has no row. A batch is of one kind, so the first clip decides.
        rows, T = self.clips.rows[indices], None
        if self.clips.T_stereo_target is not None:
            if self.clips.has_partner[indices[0]]:
                T = torch.from_numpy(self.clips.T_stereo_target[indices])
            else:
                rows = rows[:, :-1]
        pixels = self.store.gather_clips(rows) if self.resident is None else torch.from_numpy(rows)
        K = torch.from_numpy(self.clips.K[indices])
        maps = None if self.clips.teacher is None else self.clips.teacher.gather(rows[:, 0])
        driven_m = None if self.clips.driven_m is None else torch.from_numpy(self.clips.driven_m[indices])
        lens_of = None if self.clips.lenses is None else torch.from_numpy(self.clips.lenses.of[indices])
        cameras = None if self.clips.cameras is None else torch.from_numpy(self.clips.cameras[indices])
        gathered = _Gathered(pixels, K, T, maps, driven_m, lens_of, cameras)
        # Only from pinned memory does a copy to the GPU run beside its computation.
        if self.device.type == "cuda":
            return _Gathered(*(None if tensor is None else tensor.pin_memory() for tensor in gathered))  # type: ignore[arg-type]
        return gathered

    def _on_device(self, gathered: _Gathered) -> Batch:
        pinned = self.device.type == "cuda"
        pixels, K, T, maps, driven_m, lens_of, camera = (
            None if tensor is None else tensor.to(self.device, non_blocking=pinned) for tensor in gathered
        )
        assert pixels is not None and K is not None
        teacher = None if maps is None or self.clips.teacher is None else self.clips.teacher.finish(maps)
        if self.resident is not None:
            pixels = torch.unflatten(self.resident.index_select(0, pixels.flatten()), 0, pixels.shape)
        # The pixels travel as bytes, and become four times as large only on the device.
        frames = pixels.to(torch.float32).div_(255)
        driven = None if driven_m is None else Driven(metres=driven_m.nan_to_num(0.0), known=~driven_m.isnan())
        return Batch(
            frames=frames,
            inputs=frames,
            K=K,
            offsets=self.clips.offsets,
            T_stereo_target=T,
            teacher=teacher,
            driven=driven,
            lenses=None if self._lenses is None or lens_of is None else self._lenses.select(lens_of),
            camera=camera,
        )

    def _finish(self, step: int, gathered: _Gathered) -> Batch:
        batch, config = self._on_device(gathered), self.augment
        # Drawn for all processes, and each takes its share, so the number of processes does not change the run.
        n, start = self.batch_size * self.world_size, self.rank * self.batch_size
        if self.world_size > 1:
            driven = None if batch.driven is None else self._means_of_step(step, batch.driven)
            batch = replace(batch, part=(start, n), driven=driven)
        if config is None:
            return batch
        share = slice(start, start + self.batch_size)
        if config.zooms:
            batch = apply_zoom(batch, draw_zoom(n, config, self._generator(step, _ZOOM_STREAM))[share])
        generator = self._generator(step, _AUGMENTATION_STREAM)
        drawn = draw_augmentation(n, generator)
        if config.colours == "shift":
            flipped = apply(batch, replace(drawn, jitter=torch.zeros_like(drawn.jitter))[share])
            return shift_colours(flipped, draw_colour_shift(n, generator)[share])
        batch = apply(batch, drawn[share])
        if config.weather > 0:
            weather = draw_weather(n, config.weather, self._generator(step, _WEATHER_STREAM))
            batch = add_weather(batch, weather[share], weather if self.world_size > 1 else None)
        return batch

    def _means_of_step(self, step: int, driven: Driven) -> Driven:
        """With what the mean over the clips of all processes divides by."""
        assert self.clips.driven_m is not None
        metres = self.clips.driven_m[self._clips_of_step(step)]
        known = ~np.isnan(metres)
        means = (metres[known].sum() / max(known.sum(), 1), max(known.any(1).sum(), 1) / self.world_size)
        mean_m, n_clips = (torch.tensor(mean, dtype=torch.float32, device=self.device) for mean in means)
        return replace(driven, mean_m=mean_m, n_clips=n_clips)

    def _generator(self, step: int, stream: int) -> torch.Generator:
        seed = np.random.SeedSequence(entropy(self.seed, step, stream))
        # 63 bits of it: torch takes a signed number.
        return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
