"""A store as a data source: frames that were decoded, cropped and resized before."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from selfdepth.data.store.build import Progress
from selfdepth.data.store.prepare import check_agreement, resolved
from selfdepth.data.store.store import Store, StoredSequence, is_store, open_store
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.crop_resize import CropResize


@dataclass(frozen=True, kw_only=True)
class PreparedStore(DataSource):
    """A store. What it was made from is asked for what a store does not hold: ground truth.

    Attributes:
        reopen: recognises what the store was made from.
        measured_kinds: kinds of data that may have ground truth.
    """

    kind: ClassVar[str] = "store"
    reopen: Callable[[Path], DataSource]
    measured_kinds: frozenset[str]

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether there is a store."""
        return is_store(path)

    @cached_property
    def store(self) -> Store:
        """The store. Raises DataError if it cannot be used."""
        return open_store(self.path)

    def store_for(
        self, config: TrainConfig, folder: Path, *, check: CheckRun | None = None, progress: Progress | None = None
    ) -> Store:
        """The store itself, if it was made as the run asks. Raises ConfigError for options that it does not fit."""
        check_agreement(config, self.store)
        if check is not None:
            check(resolved(config, self.store), len(self.store.train))
        return self.store

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """Refused: the frames are not whole, and their poses and times are not kept."""
        raise DataError(
            "a store holds no true poses and no whole frames",
            where=self.path,
            expected="what the store was made from",
            fix="give that as --data",
        )

    def clips(self, request: ClipRequest) -> Footage:
        """Refused: there is nothing left to open or decode."""
        raise ConfigError("the data is a store already", where=self.path, fix="train on it with: --data STORE")

    @property
    def truth(self) -> DepthTruth:
        """That of what the store was made from. Warns if that is gone."""
        original = self._original
        return NoTruth() if original is None else original.truth

    def improved_truth(self, root: Path | None) -> DepthTruth | None:
        """That of what the store was made from."""
        return None if self._original is None else self._original.improved_truth(root)

    @cached_property
    def _original(self) -> DataSource | None:
        origin = self.store.origin
        if origin is None or self.store.kind not in self.measured_kinds:
            return None
        if not origin.path.exists():
            warnings.warn(
                f"the store {self.path} was made from {origin.path}, which is not there: its frames have no ground "
                "truth now",
                SelfDepthWarning,
                stacklevel=2,
            )
            return None
        return self.reopen(origin.path)

    def select(self, *, split: str | None, part: str | None, whole: bool) -> FrameSelection:
        """The test frames, else the validation frames, else those for training."""
        self.refuse_split(split)
        store = self.store
        refs_of = {"test": store.test, "val": store.val, "train": store.train}
        chosen = part or next((name for name, refs in refs_of.items() if refs), "test")
        if not refs_of[chosen]:
            raise no_frames(chosen, self.path)
        sequences = tuple(_StoredFrames.of(sequence) for sequence in store.sequences)
        return FrameSelection(part=chosen, refs=refs_of[chosen], sequences=sequences)

    def names(self, selection: FrameSelection) -> dict[FrameRef, str]:
        """Refused."""
        raise DataError(
            "a store cannot tell which file is which frame",
            where=self.path,
            fix="give what it was made from as --data",
        )

    def fitting(self, fit: CropResize) -> CropResize:
        """As they are stored. Raises DataError if that is not how the network was trained."""
        store = self.store
        if (store.width, store.height, store.crop) != (fit.width, fit.height, fit.crop):
            raise DataError(
                "the store does not fit the model",
                where=self.path,
                expected=f"frames of {fit.width}x{fit.height} with --crop {fit.crop}",
                got=f"{store.width}x{store.height} with --crop {store.crop}",
                fix="give what the store was made from as --data",
            )
        return fit

    def read(
        self, selection: FrameSelection, refs: tuple[FrameRef, ...], fit: CropResize
    ) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Stored frames, which have the network's size already."""
        self.fitting(fit)
        for ref in refs:
            row = int(self.store.by_name[ref.sequence].rows(np.array(ref.number)))
            yield np.ascontiguousarray(self.store.frames[row].transpose(1, 2, 0))

    def describe_truth(self) -> str | None:
        """That of what the store was made from."""
        return None if self._original is None else self._original.describe_truth()


@dataclass(frozen=True, kw_only=True)
class _StoredFrames(FrameSequence):
    """A sequence of a store: its whole frames' camera, names and numbers, without the frames."""

    @staticmethod
    def of(sequence: StoredSequence) -> _StoredFrames:
        """That of a stored sequence."""
        numbers = tuple(sequence.numbers.tolist())
        return _StoredFrames(
            name=sequence.name, camera=sequence.camera, numbers=numbers, names=sequence.names, files=()
        )

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Nothing: `PreparedStore.read` gives the frames."""
        yield from ()
