"""Make3D's test images as a data source, for evaluation only: they are single views, not a sequence in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from selfdepth.data.footage import ClipRequest, Footage, FrameSelection, no_frames
from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.folders import find_image_folders
from selfdepth.data.readers.make3d import Make3DTruth, is_make3d, open_make3d
from selfdepth.data.sources.folder import plain_sequences
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.geometry.crop import NO_CROP
from selfdepth.geometry.crop_resize import CropResize


@dataclass(frozen=True, kw_only=True)
class Make3D(DataSource):
    """The folder with Test134 and Gridlaserdata. Each image is a sequence of its own, with the single frame 0."""

    kind: ClassVar[str] = "make3d"
    measures_depth: ClassVar[bool] = True
    protocol: ClassVar[str] = "make3d"

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """A folder that holds the test images under their published names."""
        return cls(path=path) if is_make3d(path) else None

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """The middle of each image. Its camera is unknown and not used."""
        return open_make3d(self.path)

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """The uncropped images."""
        return plain_sequences(self.path, find_image_folders(self.path))

    def clips(self, request: ClipRequest) -> Footage:
        """Always raises DataError: single views cannot be trained on."""
        raise DataError(
            "Make3D's test images are single views, which cannot be trained on",
            where=self.path,
            expected="video, or images in the order of time",
            fix="evaluate on them with: selfdepth evaluate depth MODEL --data DIR",
        )

    @property
    def truth(self) -> DepthTruth:
        """The laser's grid."""
        return Make3DTruth(self.path)

    def select(self, *, split: str | None, part: str | None, whole: bool) -> FrameSelection:
        """All images, as test frames."""
        self.refuse_split(split)
        if part not in (None, "test"):
            raise no_frames(part or "test", self.path)
        return replace(super().select(split=None, part=None, whole=True), part="test")

    def fitting(self, fit: CropResize) -> CropResize:
        """`fit` without the crop that the network was trained with, because that was chosen for other images."""
        return replace(fit, crop=NO_CROP)

    def describe_truth(self) -> str:
        """A sentence with the root."""
        return f"read from {self.path}"
