"""A video file, or a folder of video files, as a data source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from selfdepth.data.footage import ClipRequest, Origin
from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.readers.file_kinds import is_image
from selfdepth.data.readers.video import VIDEO_SUFFIXES, open_video
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Videos(DataSource):
    """Video files, each one sequence.

    Attributes:
        files: `path` itself, or the videos directly in it, sorted by name.
        stream: number of the video stream to read; None: the one with the most frames.
    """

    kind: ClassVar[str] = "video"
    files: tuple[Path, ...]
    stream: int | None = None

    def at_stream(self, stream: int) -> DataSource:
        """The same videos, of which this stream is read."""
        return replace(self, stream=stream)

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """Any folder that directly holds videos, and any file: containers have too many suffixes to list them.

        Raises:
            DataError: for a single image.
        """
        if path.is_file():
            if is_image(path):
                raise DataError(
                    "one image is not a sequence",
                    where=path,
                    expected="a folder of images or a video",
                    fix="give its folder",
                )
            return cls(path=path, files=(path,))
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
        return cls(path=path, files=tuple(files)) if files else None

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """One sequence per file, named by its stem; in a folder, where stems may repeat, by its full name."""
        return self._named(tuple(open_video(file, camera=camera, stream=self.stream) for file in self.files))

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every video, even with a single frame."""
        return self._named(
            tuple(open_video(file, camera=ANY_CAMERA, min_frames=1, stream=self.stream) for file in self.files)
        )

    def _named(self, opened: tuple[FrameSequence, ...]) -> tuple[FrameSequence, ...]:
        if self.path.is_file():
            return opened
        return tuple(replace(sequence, name=sequence.files[0].name) for sequence in opened)

    def _origin(self, request: ClipRequest) -> Origin:
        return replace(super()._origin(request), stream=self.stream)
