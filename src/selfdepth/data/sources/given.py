"""Footage that a program made itself, as a data source: rendered in memory, or assembled by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from selfdepth.data.footage import ClipRequest, Footage
from selfdepth.data.frames import FrameSequence
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth


@dataclass(frozen=True, kw_only=True)
class GivenFootage(DataSource):
    """Footage whose targets are chosen already. It has no path, and is never recognised.

    Attributes:
        given: the footage.
    """

    kind: ClassVar[str] = "given"
    given: Footage
    path: Path = Path()

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """Those of the footage."""
        return self.given.sequences

    def clips(self, request: ClipRequest) -> Footage:
        """The footage as it is."""
        return self.given

    @property
    def truth(self) -> DepthTruth:
        """That of the footage."""
        return self.given.truth

    def footage(
        self,
        *,
        split: str | None = None,
        camera: str | None = None,
        offsets: tuple[int, ...] = (-1, 1),
        spacing: int | None = 1,
        stereo: bool = False,
    ) -> Footage:
        """The footage as it is: the program chose its targets, cameras and spacing."""
        return self.given
