"""A store as a data source: frames that are already decoded, cropped and resized."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.config import TrainConfig
from selfdepth.data.footage import ClipRequest, Footage, FrameSelection, no_frames
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.sources.source import CheckRun, DataSource
from selfdepth.data.store.build import Accept, Progress
from selfdepth.data.store.index import StoredSequence
from selfdepth.data.store.prepare import check_agreement, resolved
from selfdepth.data.store.store import Store, open_store
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.crop_resize import CropResize


@dataclass(frozen=True, kw_only=True)
class PreparedStore(DataSource):
    """A store. Ground truth, which a store does not hold, is read from the data that it was made from.

    Attributes:
        reopen: opens the data that the store was made from; `recognise`, which this file cannot import.
        measured_kinds: kinds of data that may have ground truth.
    """

    kind: ClassVar[str] = "store"
    reopen: Callable[[Path], DataSource]
    measured_kinds: frozenset[str]

    # `cached_property` works on a frozen dataclass, because it writes to `__dict__` directly.
    @cached_property
    def store(self) -> Store:
        """The opened store. Raises DataError if it cannot be used."""
        return open_store(self.path)

    def store_for(
        self,
        config: TrainConfig,
        folder: Path,
        *,
        check: CheckRun | None = None,
        progress: Progress | None = None,
        accept: Accept | None = None,
    ) -> Store:
        """The store itself. Raises ConfigError for an option that differs from those it was made with, and DataError
        if its frames were altered since."""
        check_agreement(config, self.store)
        if check is not None:
            check(resolved(config, self.store), len(self.store.train))
        if accept is not None:
            accept(self.store)
        self.store.check_frames()  # now: those that do not fit into memory are not read as a whole again
        return self.store

    def at(self, *, stream: int | None = None, topic: str | None = None) -> DataSource:
        """The store itself. Raises ConfigError for a stream or topic that it was not made with."""
        if stream is None and topic is None:
            return self  # what cannot be opened is said where it is used
        origin = self.store.origin
        for option, given, made_with in (
            ("--stream", stream, None if origin is None else origin.stream),
            ("--topic", topic, None if origin is None else origin.topic),
        ):
            if given not in (None, made_with):
                raise ConfigError(
                    f"{option} was fixed when the store was made",
                    where=self.path,
                    expected="none" if made_with is None else str(made_with),
                    got=str(given),
                    fix="leave the option out, or make another store with: selfdepth prepare DATA --out STORE "
                    f"{option} {given}",
                )
        return self

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """Always raises DataError: a store holds cropped frames, and neither poses nor times."""
        raise DataError(
            "a store holds neither ground-truth poses nor uncropped frames",
            where=self.path,
            expected="the data that the store was made from",
            fix="give that as --data",
        )

    def clips(self, request: ClipRequest) -> Footage:
        """Always raises ConfigError: there is nothing left to open or decode."""
        raise ConfigError("the data is a store already", where=self.path, fix="train on it with: --data STORE")

    @property
    def truth(self) -> DepthTruth:
        """The ground truth of the data that the store was made from. Warns if that data no longer exists."""
        original = self._original
        return NoTruth() if original is None else original.truth

    def improved_truth(self, root: Path | None) -> DepthTruth | None:
        """The improved ground truth of the data that the store was made from."""
        return None if self._original is None else self._original.improved_truth(root)

    @cached_property
    def _original(self) -> DataSource | None:
        """The data that the store was made from; None if it has no ground truth or no longer exists."""
        origin = self.store.origin
        # A missing video is worth no warning: it never had ground truth.
        if origin is None or self.store.kind not in self.measured_kinds:
            return None
        if not origin.path.exists():
            warnings.warn(
                f"the store {self.path} was made from {origin.path}, which no longer exists: its frames have no ground "
                "truth",
                SelfDepthWarning,
                stacklevel=2,
            )
            return None
        return self.reopen(origin.path)

    def select(self, *, split: str | None, part: str | None, whole: bool) -> FrameSelection:
        """The test frames, else the validation frames, else the training frames."""
        self.refuse_split(split)
        store = self.store
        refs_of = {"test": store.test, "val": store.val, "train": store.train}
        chosen = part or next((name for name, refs in refs_of.items() if refs), "test")
        if not refs_of[chosen]:
            raise no_frames(chosen, self.path)
        sequences = tuple(_StoredFrames.of(sequence) for sequence in store.sequences)
        return FrameSelection(part=chosen, refs=tuple(refs_of[chosen]), sequences=sequences)

    def names(self, selection: FrameSelection) -> dict[FrameRef, str]:
        """Always raises DataError."""
        raise DataError(
            "files of predictions cannot be matched with the frames of a store",
            where=self.path,
            fix="give the data that the store was made from as --data",
        )

    def fitting(self, fit: CropResize) -> CropResize:
        """`fit`, with which the frames were stored. Raises DataError if they have another size or crop."""
        store = self.store
        rectified = any(fit.rectifies(sequence.camera) for sequence in store.sequences)
        held = CropResize(width=store.width, height=store.height, crop=store.crop, rectify=store.rectified)
        if held != replace(fit, rectify=rectified):
            raise DataError(
                "the store does not fit the model",
                where=self.path,
                expected=f"frames of {fit.width}x{fit.height} with --crop {fit.crop}" + " --rectify yes" * rectified,
                got=f"{store.width}x{store.height} with --crop {store.crop}" + " --rectify yes" * store.rectified,
                fix="give the data that the store was made from as --data",
            )
        return fit

    def read(
        self, selection: FrameSelection, refs: tuple[FrameRef, ...], fit: CropResize
    ) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Stored frames, which already have the network's size."""
        self.fitting(fit)
        for ref in refs:
            row = int(self.store.by_name[ref.sequence].rows(np.array(ref.number)))
            # A store is planar, 3 x h x w, as batches need it; images elsewhere are h x w x 3.
            yield np.ascontiguousarray(self.store.frames[row].transpose(1, 2, 0))

    def describe_truth(self) -> str | None:
        """The sentence of the data that the store was made from."""
        return None if self._original is None else self._original.describe_truth()


@dataclass(frozen=True, kw_only=True)
class _StoredFrames(FrameSequence):
    """A sequence of a store: the camera of its uncropped frames, their names and numbers, without the frames."""

    @staticmethod
    def of(sequence: StoredSequence) -> _StoredFrames:
        """The same metadata, without files."""
        return _StoredFrames(
            name=sequence.name,
            camera=sequence.camera,
            numbers=tuple(sequence.numbers),
            names=tuple(sequence.names),
            files=(),
        )

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Nothing: `PreparedStore.read` reads the frames."""
        yield from ()
