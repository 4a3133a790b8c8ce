"""A `Footage` that a program assembled itself, for example from rendered frames, as a data source."""

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
    """A `Footage` whose targets are already chosen. It has no path and is never recognised.

    Attributes:
        given: the `Footage`.
    """

    kind: ClassVar[str] = "given"
    given: Footage
    path: Path = Path()

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """The sequences of the `Footage`."""
        return self.given.sequences

    def _open(self, request: ClipRequest) -> Footage:
        """The `Footage` unchanged: the program chose its targets, cameras and spacing."""
        return self.given

    @property
    def truth(self) -> DepthTruth:
        """The ground truth of the `Footage`."""
        return self.given.truth
