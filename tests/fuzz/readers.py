"""Every reader of files from outside, as a function of the folder that `fuzz.corpus` made for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fuzz.cameras import NAMES as NAMES_IN
from fuzz.cameras import SIZE
from fuzz.corpus import DATE, DRIVE, NAMES, REF, OneMap
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.calibration import camera_from_calibration, projection_from_velodyne, stereo_translation_m
from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.data.kitti.lidar import project_scan, read_scan
from selfdepth.data.kitti.oxts import camera_poses, read_timestamps
from selfdepth.data.kitti.splits import ODOMETRY, RAW, read_split
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.make3d import Make3DTruth
from selfdepth.data.readers.pictures import image_size, read_image
from selfdepth.data.readers.speeds import read_speed_log
from selfdepth.data.readers.trajectories import read_times, read_trajectory
from selfdepth.data.readers.video import open_video
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.store import open_store
from selfdepth.engine.run_config import read_run_config
from selfdepth.engine.tracking import read_metrics
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.arrays import read_predictions, read_truths
from selfdepth.evaluation.depth.truth_cache import CachedTruth
from selfdepth.geometry.crop import NO_CROP
from selfdepth.geometry.rectify import is_rectified, rectification
from selfdepth.inference.input_lists import read_input_list
from selfdepth.scale.clocks import best_offset
from selfdepth.scale.distance import DistanceWitness
from selfdepth.scale.frames import ScaleFootage, ScaleFrame, open_footage
from selfdepth.weights import published_models
from selfdepth.weights.files import depth_network, load_weights
from selfdepth.weights.published import read_published


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One kind of file.

    Attributes:
        name: of the kind, as users know it.
        folder: of the corpus.
        files: pattern of the files in it that are changed.
        read: reads all that is in the folder, as the verbs do.
        slow: whether one try takes more than some hundredths of a second.
    """

    name: str
    folder: str
    files: str
    read: Callable[[Path, Path], object]
    slow: bool = False


def _calibration(folder: Path, file: Path) -> None:
    date = folder / DATE
    camera_from_calibration(date, "image_02")
    stereo_translation_m(date)
    P, shape = projection_from_velodyne(date, "02")
    project_scan(np.ones((4, 4)), P, shape)


def _scan(folder: Path, file: Path) -> None:
    P, shape = projection_from_velodyne(folder / DATE, "02")
    project_scan(read_scan(file), P, shape)


def _video(folder: Path, file: Path) -> None:
    video = open_video(file)
    for _ in video.read(video.numbers):
        pass


def _bag(folder: Path, file: Path) -> None:
    bags = recognise(file if file.suffix == ".bag" else file.parent)
    bags.contents()
    for bag in bags.sequences():
        for number in bag.numbers:
            with suppress(DataError):  # of a message; that of the bag is not passed over
                list(bag.read((number,)))


_PIXELS = np.stack(np.meshgrid(np.linspace(-0.5, 95.5, 13), np.linspace(-0.5, 63.5, 9)), -1).reshape(-1, 2)
"""Of a frame of SIZE, to its edges."""


def _camera(folder: Path, file: Path) -> None:
    """Read each camera of a file, and use it as training does."""
    refused: DataError | None = None
    for name in NAMES_IN.get(file.name, (None,)):
        try:
            camera = parse_camera(f"{file}:{name}" if name else str(file), width=SIZE[0], height=SIZE[1])
            rays, _ = camera.unproject(_PIXELS)
            assert np.isfinite(rays).all(), "rays that are not finite"
            if is_rectified("auto", [camera]):
                rectification(camera, NO_CROP, 64, 32)(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
        except DataError as error:
            refused = error
    if refused is not None:
        raise refused


def _speed(folder: Path, file: Path) -> None:
    """Read a log, and ask for what calibration asks for."""
    log = read_speed_log(file)
    times = np.linspace(log.times_s[0], log.times_s[-1], 50)
    metres, known = log.distances(times)
    assert np.isfinite(metres[known]).all(), "distances that are not finite"
    best_offset(times - times[0], np.linspace(0.1, 1, 49), log)


def _speed_in_folder(folder: Path, file: Path) -> None:
    _speed(folder, folder / "oxts")


def _speed_in_bag(folder: Path, file: Path) -> None:
    _speed(folder, file if file.suffix == ".bag" else file.parent)


@cache
def _measured(folder: Path) -> ScaleFootage:
    return open_footage(folder)


def _distances(folder: Path, file: Path) -> None:
    footage = _measured(folder.parent / "measured/street")
    camera = footage.sequences[0].camera
    witness = DistanceWitness(file, footage)
    for ref in sorted(witness.refs, key=lambda each: each.number):
        flat = np.full((camera.height, camera.width), 4.0)
        witness.observe(ScaleFrame(ref=ref, time_s=0.0, depth=flat, whole=camera, crop=NO_CROP))


def _store(folder: Path, file: Path) -> None:
    store = open_store(folder)
    for ref in (*store.train, *store.val, *store.test):
        store.gather(store.by_name[ref.sequence].rows(np.array([ref.number])))


def _archive(folder: Path, file: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        published_models._unpack(file, Path(place) / "model", "https://example.org/model.zip")


def _published(folder: Path, file: Path) -> None:
    read_published(folder)


def _cache(folder: Path, file: Path) -> None:
    found = CachedTruth(OneMap(), folder)(REF)
    assert found is not None and np.isfinite(found).all()


READERS = (
    Reader(name="image", folder="image", files="*", read=lambda folder, file: (image_size(file), read_image(file))),
    Reader(name="video", folder="video", files="*", read=_video, slow=True),
    Reader(name="bag of ROS 1", folder="ros1_bag", files="*.bag", read=_bag, slow=True),
    Reader(name="bag of ROS 2", folder="sqlite3_bag", files="*/*", read=_bag, slow=True),
    Reader(name="MCAP", folder="mcap_bag", files="*/*", read=_bag, slow=True),
    Reader(name="PNG depth", folder="depth_png", files="*", read=lambda folder, file: read_depth_png(file)),
    Reader(name="calibration of KITTI", folder="kitti", files=f"{DATE}/calib_*.txt", read=_calibration),
    Reader(name="LiDAR scan", folder="kitti", files=f"{DATE}/{DRIVE}/velodyne_points/data/*1.bin", read=_scan),
    Reader(
        name="oxts",
        folder="kitti",
        files=f"{DATE}/{DRIVE}/oxts/data/*1.txt",
        read=lambda folder, file: camera_poses(folder, f"{DATE}/{DRIVE}/image_02", (0, 1, 2)),
    ),
    Reader(
        name="timestamps",
        folder="kitti",
        files=f"{DATE}/{DRIVE}/image_02/timestamps.txt",
        read=lambda folder, file: read_timestamps(file, (0, 1, 2)),
    ),
    *(
        Reader(name=f"camera of {name}", folder=f"camera/{kind}", files="*", read=_camera)
        for kind, name in (
            ("ours", "ours"),
            ("opencv", "OpenCV"),
            ("camera_info", "ROS"),
            ("kalibr", "Kalibr and EuRoC"),
            ("kitti_360", "KITTI-360"),
            ("colmap", "COLMAP"),
            ("nerfstudio", "nerfstudio"),
            ("orb_slam", "ORB-SLAM"),
            ("basalt", "Basalt"),
        )
    ),
    Reader(name="speed in a table", folder="speed/table", files="*", read=_speed),
    Reader(name="speed by GPX", folder="speed/gpx", files="*", read=_speed),
    Reader(name="speed by NMEA", folder="speed/nmea", files="*", read=_speed),
    Reader(name="speed by oxts", folder="speed/oxts", files="oxts/**/*.txt", read=_speed_in_folder),
    Reader(name="speed in a bag", folder="speed/bag", files="**/*.*", read=_speed_in_bag, slow=True),
    Reader(name="list of distances", folder="distance", files="*", read=_distances),
    Reader(
        name="list of inputs",
        folder="input_list",
        files="*",
        read=lambda folder, file: read_input_list(file, out=folder / "out"),
    ),
    Reader(name="split of KITTI raw", folder="split", files="*", read=lambda folder, file: read_split(folder, RAW)),
    Reader(
        name="split of KITTI odometry",
        folder="odometry_split",
        files="*",
        read=lambda folder, file: read_split(folder, ODOMETRY),
    ),
    Reader(name="trajectory", folder="trajectory", files="*", read=lambda folder, file: read_trajectory(file)),
    Reader(name="times", folder="times", files="*", read=lambda folder, file: read_times(file)),
    Reader(
        name="npz",
        folder="npz",
        files="*",
        read=lambda folder, file: (read_predictions(file, "disparity"), read_truths(file)),
    ),
    Reader(name="npy", folder="npy", files="*", read=lambda folder, file: read_predictions(file, "depth")),
    Reader(
        name="mat",
        folder="make3d",
        files="Gridlaserdata/*",
        read=lambda folder, file: Make3DTruth(folder)(FrameRef(f"Test134/img-{NAMES[0]}", 0)),
    ),
    Reader(name="truth cache", folder="truth_cache", files=f"{DATE}/{DRIVE}/image_02/*.npz", read=_cache),
    Reader(name="published folder", folder="published", files="*", read=_published, slow=True),
    Reader(name="archive", folder="archive", files="*", read=_archive),
    Reader(
        name="safetensors",
        folder="weights",
        files="*.safetensors",
        read=lambda folder, file: depth_network(load_weights(folder)),
        slow=True,
    ),
    Reader(
        name="configuration of a model",
        folder="config",
        files="config.json",
        read=lambda folder, file: depth_network(load_weights(folder)),
        slow=True,
    ),
    Reader(
        name="configuration of a run",
        folder="run",
        files="config.json",
        read=lambda folder, file: read_run_config(folder),
    ),
    Reader(name="index of a store", folder="store", files="index.json", read=_store),
    Reader(name="frames of a store", folder="store", files="frames.u8", read=_store),
    Reader(name="metrics", folder="metrics", files="metrics.jsonl", read=lambda folder, file: read_metrics(folder)),
)
