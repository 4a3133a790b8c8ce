"""What is fetched for a split: the drives in the order of the store's rows, and the frames of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from selfdepth.config import TrainConfig
from selfdepth.data.kitti.calibration import CAMERAS
from selfdepth.data.kitti.splits import (
    ODOMETRY,
    PUBLISHED_SPLITS,
    RAW,
    SplitLine,
    find_split,
    needed_offsets,
    read_split,
)
from selfdepth.data.kitti.stereo import merge_numbers, other_camera
from selfdepth.errors import ConfigError, DataError
from selfdepth.files import checksum
from selfdepth.places import path_of

_DIGEST = "fetched 1"
"""What a digest begins with. Another text would make every store that was fetched a stranger."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The frames that a run with a configuration needs.

    Attributes:
        config: the options that the store is made with.
        lines: the lines of the split by drive, each with its part.
    """

    config: TrainConfig
    lines: Mapping[str, tuple[tuple[str, SplitLine], ...]]

    @staticmethod
    def of(config: TrainConfig) -> Plan:
        """Read the split of a configuration; a published one is downloaded.

        Raises:
            ConfigError: for KITTI odometry.
            DataError: for a split that cannot be read.
        """
        split = str(config.split)
        published = PUBLISHED_SPLITS.get(split)
        if published is not None and published.format is ODOMETRY and not path_of(split).is_dir():
            raise ConfigError(
                "only KITTI raw is fetched: the images of KITTI odometry are a single archive of 65 GB",
                where=f"--split {split}",
                expected=", ".join(name for name, each in PUBLISHED_SPLITS.items() if each.format is RAW),
                fix="unpack data_odometry_color.zip, data_odometry_calib.zip and data_odometry_poses.zip into one "
                "folder, and use: selfdepth prepare FOLDER --split odom",
            )
        lines: dict[str, list[tuple[str, SplitLine]]] = {}
        for part, listed in read_split(find_split(split), RAW).items():
            for each in listed:
                lines.setdefault(_drive_of(each.ref.sequence), []).append((part, each))
        return Plan(config=config, lines={drive: tuple(lines[drive]) for drive in sorted(lines, key=_in_order)})

    @property
    def drives(self) -> tuple[str, ...]:
        """The drives, DATE/DRIVE, as their sequences follow each other in a store."""
        return tuple(self.lines)

    @property
    def dates(self) -> tuple[str, ...]:
        """The dates of the drives."""
        return tuple(dict.fromkeys(drive.split("/")[0] for drive in self.drives))

    @property
    def stereo(self) -> bool:
        """Whether the other camera's images are needed, too."""
        return self.config.stereo != "none"

    @cached_property
    def expected(self) -> dict[str, dict[str, list[int]]]:
        """`needed` of each drive, if the archives have all."""
        return {drive: self.needed(drive) for drive in self.drives}

    def needed(self, drive: str, images: Mapping[str, Collection[int]] | None = None) -> dict[str, list[int]]:
        """The frame numbers of each sequence of a drive, as `open_kitti_raw` opens them.

        Args:
            images: the frame numbers that the archive has, by sequence; None: all that the split asks for.

        Raises:
            DataError: for a frame that the archive lacks.
        """
        own: dict[str, set[int]] = {}
        partners: dict[str, set[int]] = {}
        for part, line in self.lines[drive]:
            ref = line.ref
            numbers = {ref.number + offset for offset in needed_offsets(part, self.config.offsets)}
            if images is not None:
                _require(numbers, images.get(ref.sequence, ()), line, ref.sequence)
            own.setdefault(ref.sequence, set()).update(numbers)
            other = other_camera(ref.sequence, CAMERAS)
            if self.stereo and part != "test" and (images is None or ref.number in images.get(other, ())):
                partners.setdefault(other, set()).add(ref.number)
        return merge_numbers(own, partners)

    def scans(self, drive: str) -> list[int]:
        """The frames of a drive on which depth is evaluated: those for validation and test."""
        return sorted({line.ref.number for part, line in self.lines[drive] if part != "train"})

    def n_frames(self, drives: Collection[str]) -> int:
        """How many frames of these drives the store holds, if the archives have all."""
        return sum(len(numbers) for drive in drives for numbers in self.expected[drive].values())

    @property
    def first_sequence(self) -> str:
        """The sequence of the store's first row, whose camera decides the height."""
        return min(self.expected[self.drives[0]])

    def digest(self) -> str:
        """A digest of what the store depends on, as far as it is known before anything is fetched."""
        config = self.config
        refs = [[part, *line] for part, *line in self._refs()]
        file = _camera_file(config.camera)
        camera = [config.camera, None if file is None else checksum(file)]
        values = [_DIGEST, refs, camera, str(config.crop_px), config.width, config.height, self.stereo]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def _refs(self) -> Iterator[tuple[str, str, int]]:
        for lines in self.lines.values():
            yield from ((part, line.ref.sequence, line.ref.number) for part, line in lines)


def _require(numbers: Collection[int], there: Collection[int], line: SplitLine, sequence: str) -> None:
    missing = next((number for number in sorted(numbers) if number not in there), None)
    if missing is not None:
        raise DataError(
            "the archive lacks a frame that the split needs",
            where=line.where,
            expected=f"{sequence}/data/{missing:010d}.png or .jpg",
            got=f"{len(there)} images of that camera",
            fix="take the line out of the split, or give --url the address of KITTI's own archives",
        )


def _camera_file(camera: str | None) -> Path | None:
    """The file that --camera names, perhaps with ":NAME" behind it."""
    names = [] if camera is None else [camera, camera.rpartition(":")[0]]
    return next((path for name in names if name and (path := path_of(name)).is_file()), None)


def _drive_of(sequence: str) -> str:
    return sequence.rpartition("/")[0]


def _in_order(drive: str) -> str:
    # As the names of sequences, DRIVE/image_02, are sorted: "a-b/image_02" comes before "a/image_02".
    return f"{drive}/"
