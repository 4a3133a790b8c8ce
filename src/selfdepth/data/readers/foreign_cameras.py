"""Calibrations that other programs write and that are not read: each refused by its name, with what to give instead."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from selfdepth.errors import DataError

_WRITE = "write a YAML with image_width, image_height, camera_matrix and distortion_coefficients"
_KINDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "the INI file of ROS's camera calibrator (ost.txt)",
        re.compile(r"\A([ \t]*(#.*)?\n)*\[image\]\s"),
        "give the ost.yaml that the calibrator writes beside it",
    ),
    (
        "COLMAP's images.txt",
        re.compile(r"\A([ \t]*(#.*)?\n)*#[ \t]*IMAGE_ID, QW,"),
        "give the cameras.txt beside it",
    ),
    (
        "a calib.txt of KITTI's odometry or object data, which states no image size",
        re.compile(r"\A\s*P0:(\s+[-+.0-9eE]+){12}\s*$", re.MULTILINE),
        "give the root of KITTI odometry as DATA, whose cameras are read; for other frames of the original size give "
        "--camera fx,fy,cx,cy, the 1st, 6th, 3rd and 7th number of P2",
    ),
    (
        "a model of OCamCalib",
        re.compile(r"\A\s*#\s*polynomial coefficients for the DIRECT mapping"),
        "calibrate with a fisheye model of OpenCV or Kalibr (equidistant, omni)",
    ),
    (
        "a calibration of DSO or TUM's monoVO data",
        re.compile(
            r"\A\s*((Pinhole|RadTan|EquiDistant|KannalaBrandt|FOV|ATAN)\s)?([-+.0-9eE]+[ \t]+){4}.*\n"
            r"[ \t]*\d+[ \t]+\d+\s*\n"
        ),
        f"{_WRITE}; the lens FOV is not read: give the frames undistorted, and --camera fx,fy,cx,cy of those",
    ),
    (
        "a calibration of Agisoft Metashape",
        re.compile(r"<calibration>\s*<projection>"),
        "save it in OpenCV's format instead",
    ),
    (
        "a lens profile of Gyroflow",
        re.compile(r'"calib_dimension"\s*:'),
        f"{_WRITE} from its calib_dimension and fisheye_params, and with the line fisheye_model: 1",
    ),
    (
        "cameras of OpenSfM",
        re.compile(r'"projection_type"\s*:'),
        "give --camera fx,fy,cx,cy: focal times the larger side of the image, and the middle of the image; with a "
        "distortion, the frames undistorted",
    ),
    (
        "a calibration of a ZED camera",
        re.compile(r"^\[(LEFT|RIGHT)_CAM_", re.MULTILINE),
        f"{_WRITE} of the section of your camera and resolution",
    ),
    (
        "a calibration of DepthAI (OAK cameras)",
        re.compile(r'"cameraData"\s*:'),
        f"{_WRITE}: width, height, intrinsicMatrix and distortionCoeff of your camera",
    ),
    (
        "the sensors of nuScenes",
        re.compile(r'"camera_intrinsic"\s*:'),
        "give --camera fx,fy,cx,cy: numbers of camera_intrinsic of your camera",
    ),
    (
        "the intrinsics of OpenCV's stereo calibration (M1, D1, M2, D2), which state no image size",
        re.compile(r"^M1:\s*!!opencv-matrix", re.MULTILINE),
        f"{_WRITE} of one camera: M1 and D1, or M2 and D2",
    ),
    (
        "a matrix of numbers",
        re.compile(r"\A\s*([-+.0-9eE]+[,;\s]+){8}[-+.0-9eE]+\s*\Z"),
        "give its numbers as --camera fx,fy,cx,cy, in pixels of the frames",
    ),
)
_BEGINNING = 100_000
_COLMAP_MODELS = 64
"""More than COLMAP has."""


def refuse_foreign(text: str, path: Path) -> None:
    """Raise DataError if a text, of which no camera could be read, is a calibration of another known kind."""
    for kind, pattern, fix in _KINDS:
        if pattern.search(text[:_BEGINNING]):
            raise _refusal(kind, path, fix)


def refuse_foreign_bytes(data: bytes, path: Path) -> None:
    """Raise DataError if a file that is no text is COLMAP's cameras.bin."""
    if len(data) < 32:
        return
    n, _, model, width, height = struct.unpack_from("<QiiQQ", data)
    if 0 < n < 1 << 24 and 0 <= model < _COLMAP_MODELS and 0 < width < 1 << 24 and 0 < height < 1 << 24:
        fix = "give the cameras.txt that `colmap model_converter --output_type TXT` writes"
        raise _refusal("COLMAP's cameras.bin", path, fix)


def _refusal(kind: str, path: Path, fix: str) -> DataError:
    return DataError(
        "the camera file is of a kind that is not read",
        where=path,
        expected="ours, OpenCV, ROS camera_info, Kalibr, Basalt, EuRoC, COLMAP (cameras.txt), nerfstudio or KITTI-360",
        got=kind,
        fix=fix,
    )
