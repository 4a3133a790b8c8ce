"""Chunks as a data source, in a bucket or a folder; and any data written as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.config import TrainConfig
from selfdepth.data.footage import FrameSelection
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.choices import refuse_choices
from selfdepth.data.sources.prepared import PreparedStore
from selfdepth.data.sources.source import CheckRun, DataSource
from selfdepth.data.store.build import Accept, Progress
from selfdepth.data.store.chunked import open_chunks
from selfdepth.data.store.prepare import check_agreement, fit_of, readable_footage
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.store import Store
from selfdepth.data.store.write_chunks import ChunkContents, contents_of, contents_of_store, write_chunks
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import ConfigError, DataError
from selfdepth.geometry.crop_resize import CropResize


@dataclass(frozen=True, kw_only=True)
class Chunks(PreparedStore):
    """Chunks, from which training reads through a cache.

    Attributes:
        place: as `Remote` takes it.
    """

    kind: ClassVar[str] = "chunks"
    place: str
    reopen: Callable[[Path], DataSource] = field(default=None, repr=False)  # type: ignore[assignment]
    measured_kinds: frozenset[str] = frozenset()

    def store_for(
        self,
        config: TrainConfig,
        folder: Path,
        *,
        check: CheckRun | None = None,
        progress: Progress | None = None,
        accept: Accept | None = None,
    ) -> Store:
        """The store of the chunks, with its cache in `folder`. Raises as `PreparedStore.store_for`, and ConfigError for
        a cache that is smaller than a step needs, or a teacher."""
        if config.teacher.path is not None:
            raise ConfigError(
                "a teacher's maps lie beside the frames of a local store, and not in chunks",
                where=f"--teacher.path {config.teacher.path}",
                fix="give the data that the chunks were made from as --data, or leave the teacher out",
            )
        store = open_chunks(Remote(self.place), folder, config.cache_gb)
        check_agreement(config, store)
        if check is not None:
            check(replace(config, height=store.height), len(store.train))
        if accept is not None:
            accept(store)
        store.require_room(config.batch_size)
        return store

    def at(self, *, stream: int | None = None, topic: str | None = None) -> DataSource:
        """The chunks themselves. Raises ConfigError for a stream or a topic, which were chosen when they were made."""
        refuse_choices(f"{self.place}, {self.kind}", stream=stream, topic=topic)
        return self

    @property
    def truth(self) -> DepthTruth:
        """None: that of the validation frames, which chunks hold, is asked of their store (`own_truth`)."""
        return NoTruth()

    @cached_property
    def store(self) -> Store:
        """Always raises DataError: only training reads chunks."""
        raise self._only_for_training()

    def select(self, *, split: str | None, part: str | None, whole: bool) -> FrameSelection:
        """Always raises DataError."""
        raise self._only_for_training()

    def fitting(self, fit: CropResize) -> CropResize:
        """Always raises DataError."""
        raise self._only_for_training()

    def read(
        self, selection: FrameSelection, refs: tuple[FrameRef, ...], fit: CropResize
    ) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Always raises DataError."""
        raise self._only_for_training()

    def _only_for_training(self) -> DataError:
        return DataError(
            "chunks are for training alone", where=self.place, fix="give the data that they were made from as --data"
        )


def chunks_for(
    source: DataSource, config: TrainConfig, place: str, progress: Progress | None = None
) -> tuple[ChunkContents, bool]:
    """Write a data set, or a local store, as chunks.

    Args:
        place: as `Remote` takes it.
        progress: called with (frames done, frames in total).

    Returns:
        What the chunks hold, and whether any had to be written.

    Raises:
        SelfDepthError: for data or a place that cannot be used.
    """
    remote = Remote(place, "--out")
    if isinstance(source, Chunks):
        raise ConfigError("the data are chunks already", where=source.place, fix="train on them with: --data PLACE")
    if isinstance(source, PreparedStore):
        check_agreement(config, source.store)
        contents = contents_of_store(source.store, source.truth)
    else:
        footage = source.footage(
            split=config.split,
            camera=config.start_camera,
            offsets=config.offsets,
            spacing=config.spacing,
            stereo=config.stereo != "none",
        )
        cameras = [sequence.camera for sequence in footage.sequences]
        footage = readable_footage(config, footage)
        contents = contents_of(footage, fit_of(config, cameras), source.truth)
    return contents, write_chunks(contents, remote, progress)
