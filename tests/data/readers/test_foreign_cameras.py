"""Calibrations of other programs: each refused by its name, with what to give instead."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from selfdepth.data.readers.camera_files import read_camera_file
from selfdepth.data.readers.foreign_cameras import refuse_foreign
from selfdepth.errors import DataError

OST = """# oST version 5.0 parameters


[image]

width
640

height
480

[narrow_stereo]

camera matrix
500.5 0.0 319.5
0.0 501.5 239.5
0.0 0.0 1.0
"""
IMAGES = """# Image list with two lines of data per image:
#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
#   POINTS2D[] as (X, Y, POINT3D_ID)
1 0.85 0.17 0.01 0.49 -0.6 1.9 4.6 1 P1180141.JPG
"""
ODOMETRY = (
    "P0: 7.1e+02 0 6.07e+02 0 0 7.18e+02 1.85e+02 0 0 0 1 0\nP1: 7.1e+02 0 6.07e+02 -3e2 0 7.18e+02 1.8e+02 0 0 0 1 0\n"
)
OCAM = """#polynomial coefficients for the DIRECT mapping function (ocam_model.ss in MATLAB).

5 -2.6e+02 0.0 1.4e-03 0 0
"""
METASHAPE = (
    '<?xml version="1.0"?>\n<calibration>\n  <projection>frame</projection>\n  <width>640</width>\n</calibration>\n'
)
GYROFLOW = """{"name": "GoPro", "calib_dimension": {"w": 640, "h": 480}, "fisheye_params": {"camera_matrix":
[[500.5, 0, 319.5], [0, 501.5, 239.5], [0, 0, 1]], "distortion_coeffs": [0.05, -0.02, 0.004, -0.0006]}}"""
OPENSFM = '{"v2 gopro": {"projection_type": "perspective", "width": 640, "height": 480, "focal": 0.85, "k1": -0.1}}'
STEREO = """%YAML:1.0
---
M1: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 534.8, 0., 334.5, 0., 534.8, 240.8, 0., 0., 1. ]
D1: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -0.28, 0.079, 0., 0., 0. ]
"""
CAMERAS_BIN = struct.pack("<QiiQQ4d", 1, 1, 1, 640, 480, 500.5, 501.5, 320, 240)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (OST, r"INI file of ROS.*give the ost\.yaml"),
        (IMAGES, r"COLMAP's images\.txt; give the cameras\.txt"),
        (CAMERAS_BIN, r"COLMAP's cameras\.bin; .*model_converter --output_type TXT"),
        (ODOMETRY, r"KITTI's odometry.*no image size; .*--camera fx,fy,cx,cy"),
        (OCAM, "OCamCalib; calibrate with a fisheye model"),
        ("Pinhole 500.5 501.5 319.5 239.5 0\n640 480\ncrop\n640 480\n", "DSO"),
        ("0.53 0.66 0.49 0.5 0.89\n1280 1024\ncrop\n640 480\n", "DSO.*the lens FOV is not read"),
        (METASHAPE, "Agisoft Metashape; save it in OpenCV's format"),
        (GYROFLOW, "Gyroflow; .*fisheye_model: 1"),
        (OPENSFM, "OpenSfM; .*--camera fx,fy,cx,cy"),
        ("[LEFT_CAM_HD]\nfx=500.5\nfy=501.5\ncx=639\ncy=359\nk1=-0.17\n", "ZED camera; .*the section of your camera"),
        ('{"cameraData": [[0, {"width": 640, "intrinsicMatrix": [[1, 0, 0]]}]]}', "DepthAI.*distortionCoeff"),
        ('[{"token": "1", "camera_intrinsic": [[500, 0, 320]]}]', "nuScenes; give --camera fx,fy,cx,cy"),
        (STEREO, "M1, D1, M2, D2.*no image size; .*M1 and D1"),
        ("500.5 0 319.5\n0 501.5 239.5\n0 0 1\n", "a matrix of numbers; .*--camera fx,fy,cx,cy"),
        ("500.5,0,319.5\n0,501.5,239.5\n0,0,1\n", "a matrix of numbers"),
    ],
)
def test_calibrations_of_other_programs_are_refused_by_name(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = tmp_path / "camera"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError, match=f"of a kind that is not read.*{words}"):
        read_camera_file(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"\xff" * 40, CAMERAS_BIN[:31], b"width: 640\n"])
def test_what_is_of_no_known_kind_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "camera"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_camera_file(path)
    assert "kind that is not read" not in str(caught.value)


@pytest.mark.parametrize("piece", ["\n", " \n", "# \n", "1 ", "P0: 1 ", '"calib_dimension" ', "\t\n "])
def test_no_text_is_looked_at_for_long(piece: str) -> None:
    started = time.process_time()
    refuse_foreign(piece * (200_000 // len(piece)), Path("camera"))
    assert time.process_time() - started < 2
