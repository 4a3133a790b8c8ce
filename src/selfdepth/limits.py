"""What a file may be, at most: one table, judged before anything is decoded or allocated.

A few bytes can declare gigabytes. A size that is too large is refused in one sentence; where the file is trusted, the
environment variable in that sentence raises the limit.
"""

from __future__ import annotations

import os
from pathlib import Path

from selfdepth.errors import ConfigError, DataError, SelfDepthError

VARIABLE = "SELFDEPTH_LIMITS"
"""Environment variable that raises limits: NAME=NUMBER, with commas between. Other processes that selfdepth starts
inherit it."""

LIMITS: dict[str, tuple[int, str]] = {
    "image_megapixels": (200, "of an image"),
    "jpeg_megapixels": (4000, "of all scans of a JPEG together: a progressive one has about ten"),
    "slow_megapixels": (10, "of an image that is decoded slowly: PPM as text or of odd depth, BMP in runs; RGB is 3"),
    "webp_megabytes": (256, "of a WebP file"),
    "video_megapixels": (40, "of a frame of a video: 8K has 33"),
    "video_samples": (10_000_000, "of the frames of a video, and of an MP4's pieces of sound: a day has seven million"),
    "network_megapixels": (10, "of an image as the networks see it: 4K has 8"),
    "message_megabytes": (512, "of a message or a compressed chunk of a ROS bag, unpacked; a raw 4K image has 25"),
    "array_megabytes": (
        1500,
        "of the arrays of a file, in memory: npz, npy, a matrix of MATLAB; Eigen's truth has 1,300",
    ),
    "array_maps": (100_000, "of the maps in a file of arrays: Eigen's truth has 697"),
    "scan_megabytes": (64, "of a LiDAR scan; KITTI's have 2"),
    "weights_megabytes": (1000, "of the weights of a model: two ResNet-152 have 500"),
    "archive_megabytes": (4096, "of all members of an archive, unpacked"),
    "fetched_megabytes": (64_000, "of an archive that `fetch` downloads; the largest drive of KITTI has 5,177 frames"),
    "member_megabytes": (64, "of an image or a scan in such an archive, unpacked; KITTI's have 2"),
    "text_megabytes": (64, "of a text: splits, trajectories, poses, metrics"),
    "gpx_megabytes": (32, "of a GPX track: a day of one point per second has 15"),
    "calibration_kilobytes": (256, "of a calibration or a position of KITTI, which have three at most"),
    "yaml_kilobytes": (256, "of a camera's file: YAML, XML, cameras.txt, Basalt's JSON; most have one or two"),
    "json_megabytes": (16, "of a JSON file: configurations, the index of a store"),
    "store_frames": (5_000_000, "of the frames of a store: two days of video"),
    "trajectory_lines": (2_000_000, "of a trajectory, a split, a list of times: 18 hours at 30 frames per second"),
    "digits": (100, "of a number"),
    "side_pixels": (8192, "of the width and the height of the networks' input"),
    "app_megabytes": (500, "of a file that is given to the page of `app`"),
    "app_megapixels": (64, "of a photo on that page: those of phones have up to 50"),
    "app_seconds": (120, "of a video on that page"),
    "app_frames": (3600, "of the frames of a video on that page: two minutes at 30 per second"),
    "app_result_megabytes": (2000, "of a download from that page, as estimated before it is made"),
    "app_visitors": (20, "of the visitors whose files are kept there; those of the one idle longest go first"),
    "app_waiting": (16, "of the requests that wait there for the model"),
}
"""The default of each limit, and what it limits."""


def limit(name: str) -> int:
    """The limit of this name: that of the environment, else its default.

    Raises:
        ConfigError: if the environment variable cannot be read.
    """
    return _raised().get(name, LIMITS[name][0])


def require_within(
    name: str, value: float, *, what: str, where: str | Path, error: type[SelfDepthError] = DataError
) -> None:
    """Refuse a size above a limit.

    Args:
        name: of the limit; its last word is the unit.
        value: the size, in that unit.
        what: what is wrong, such as "the image is too large".
        where: the file.
        error: what to raise.
    """
    most = limit(name)
    if value > most:
        unit = name.rpartition("_")[2]
        raise error(
            what,
            where=where,
            expected=f"at most {most:,} {unit}",
            got=f"{value:,.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}",
            fix=f"if you trust the file, set {VARIABLE}={name}={int(value) + 1}",
        )


def _raised() -> dict[str, int]:
    chosen: dict[str, int] = {}
    for word in filter(None, os.environ.get(VARIABLE, "").split(",")):
        name, _, number = (part.strip() for part in word.partition("="))
        if name not in LIMITS or not (number.isdecimal() and len(number) <= 12):
            raise ConfigError(
                "unreadable limits",
                where=f"environment variable {VARIABLE}",
                expected=f"NAME=NUMBER with commas between; NAME is one of {', '.join(LIMITS)}",
                got=word[:80],
            )
        chosen[name] = int(number)
    return chosen
