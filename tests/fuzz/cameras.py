"""Good files of cameras, of every kind that is read, for frames of 96x64."""

from __future__ import annotations

from pathlib import Path

from selfdepth.data.readers.cameras import camera_to_yaml
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

SIZE = (96, 64)
_OPENCV = """%YAML:1.0
image_width: 96
image_height: 64
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 80., 0., 48., 0., 81., 32., 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
"""
_ROS = """image_width: 96
image_height: 64
camera_name: front
distortion_model: plumb_bob
camera_matrix: {rows: 3, cols: 3, data: [80.0, 0.0, 48.0, 0.0, 81.0, 32.0, 0.0, 0.0, 1.0]}
distortion_coefficients: {rows: 1, cols: 5, data: [0.0, 0.0, 0.0, 0.0, 0.0]}
"""
_KALIBR = """cam0:
  camera_model: omni
  distortion_coeffs: [-0.1, 0.02, 0.001, -0.001]
  distortion_model: radtan
  intrinsics: [0.9, 80.0, 81.0, 47.5, 31.5]
  resolution: [96, 64]
"""
_MEI = """%YAML:1.0
---
model_type: MEI
image_width: 96
image_height: 64
mirror_parameters:
   xi: 2.2
distortion_parameters:
   k1: 1.7e-02
   k2: 1.65
   p1: 4.2e-04
   p2: 4.2e-04
projection_parameters:
   gamma1: 160.0
   gamma2: 161.0
   u0: 47.5
   v0: 31.5
"""
_KITTI_360 = """calib_time: 01-Feb-2021 10:12:32
S_rect_00: 96 64
P_rect_00: 80.0 0.0 47.5 0.0 0.0 80.0 31.5 0.0 0.0 0.0 1.0 0.0
"""
_TRANSFORMS = """{"camera_model": "OPENCV", "w": 96, "h": 64, "fl_x": 80.0, "fl_y": 81.0, "cx": 48.0, "cy": 32.0,
 "k1": -0.2, "k2": 0.03, "p1": 0.001, "p2": -0.001, "frames": [{"file_path": "0.png", "fl_x": 80.0}]}
"""
_XML = """<?xml version="1.0"?>
<opencv_storage>
<image_width>96</image_width>
<image_height>64</image_height>
<fisheye_model>1</fisheye_model>
<camera_matrix type_id="opencv-matrix"><rows>3</rows><cols>3</cols><dt>d</dt>
  <data>
    40. 0. 47.5 0. 41. 31.5 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix"><rows>4</rows><cols>1</cols><dt>d</dt>
  <data>
    5.0e-02 -2.0e-02 4.0e-03 -6.0e-04</data></distortion_coefficients>
</opencv_storage>
"""
_JSON = """{"image_width": 96, "image_height": 64,
 "camera_matrix": {"type_id": "opencv-matrix", "rows": 3, "cols": 3, "dt": "d",
  "data": [80.0, 0.0, 48.0, 0.0, 81.0, 32.0, 0.0, 0.0, 1.0]},
 "distortion_coefficients": {"type_id": "opencv-matrix", "rows": 1, "cols": 8, "dt": "d",
  "data": [0.1, -0.05, 0.001, -0.001, 0.01, 0.2, -0.02, 0.005]}}
"""
_ECHO = """header:
  stamp: {sec: 1700000000, nanosec: 5}
  frame_id: camera
height: 128
width: 192
distortion_model: rational_polynomial
d: [0.1, -0.05, 0.001, -0.001, 0.01, 0.2, -0.02, 0.005]
k: [160.0, 0.0, 95.5, 0.0, 162.0, 63.5, 0.0, 0.0, 1.0]
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
p: [160.0, 0.0, 95.5, 0.0, 0.0, 162.0, 63.5, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 2
binning_y: 2
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""
_CAMCHAIN = """cam0:
  camera_model: pinhole
  distortion_coeffs: [0.05, -0.02, 0.004, -0.0006]
  distortion_model: equidistant
  intrinsics: [60.0, 61.0, 47.5, 31.5]
  resolution: [96, 64]
  rostopic: /cam0/image_raw
cam1:
  T_cn_cnm1:
  - [1.0, 0.0, 0.0, -0.11]
  - [0.0, 1.0, 0.0, 0.0]
  - [0.0, 0.0, 1.0, 0.0]
  - [0.0, 0.0, 0.0, 1.0]
  camera_model: eucm
  distortion_coeffs: []
  distortion_model: none
  intrinsics: [0.6, 1.1, 60.0, 61.0, 47.5, 31.5]
  resolution: [96, 64]
"""
_EUROC = """sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [0.0, -1.0, 0.0, -0.02, 1.0, 0.0, 0.0, -0.06, 0.0, 0.0, 1.0, 0.01, 0.0, 0.0, 0.0, 1.0]
rate_hz: 20
resolution: [96, 64]
camera_model: pinhole
intrinsics: [80.0, 81.0, 47.5, 31.5]
distortion_model: radial-tangential
distortion_coefficients: [-0.2, 0.03, 0.001, -0.001]
"""
_COLMAP = """# Camera list with one line per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
1 SIMPLE_PINHOLE 96 64 80 48 32
2 PINHOLE 96 64 80 81 48 32
3 SIMPLE_RADIAL 96 64 80 48 32 -0.1
4 RADIAL 96 64 80 48 32 -0.1 0.01
5 OPENCV 96 64 80 81 48 32 -0.2 0.03 0.001 -0.001
6 FULL_OPENCV 96 64 80 81 48 32 0.1 -0.05 0.001 -0.001 0.01 0.2 -0.02 0.005
7 OPENCV_FISHEYE 96 64 40.0 41.0 48 32 0.05 -0.02 0.004 -0.0006
8 RADIAL_FISHEYE 96 64 40.0 48 32 0.05 -0.02
"""
_ONE_OF_COLMAP = "# one camera\n1 OPENCV_FISHEYE 96 64 40.0 41.0 48 32 0.05 -0.02 0.004 -0.0006\n"
_ANGLES = """{"camera_angle_x": 1.2, "frames": [{"file_path": "a.png", "transform_matrix": [[1, 0, 0, 0]]}]}
"""
_PER_FRAME = """{"camera_model": "OPENCV_FISHEYE", "frames": [
 {"file_path": "0.png", "w": 96, "h": 64, "fl_x": 40.0, "fl_y": 41.0, "cx": 48.0, "cy": 32.0, "k1": 0.05, "k2": -0.02},
 {"file_path": "1.png", "w": 96, "h": 64, "fl_x": 40.0, "fl_y": 41.0, "cx": 48.0, "cy": 32.0, "k1": 0.05, "k2": -0.02}]}
"""
_ORB_SLAM = """%YAML:1.0
File.version: "1.0"
Camera.type: "KannalaBrandt8"
Camera1.fx: 40.0
Camera1.fy: 41.0
Camera1.cx: 47.5
Camera1.cy: 31.5
Camera1.k1: 0.05
Camera1.k2: -0.02
Camera1.k3: 0.004
Camera1.k4: -0.0006
Camera.width: 96
Camera.height: 64
Camera.fps: 20
"""
_LISTED = """{"camera_model": "OPENCV", "w": 96, "h": 64, "fl_x": 80.0, "fl_y": 81.0, "cx": 48.0, "cy": 32.0,
 "frames": [{"file_path": "0.png", "distortion_params": [-0.2, 0.03, 0.0, 0.0, 0.001, -0.001]}]}
"""
_BASALT = """{"value0": {"T_imu_cam": [{"px": 0.04, "py": 0.0, "pz": 0.0, "qx": 0.0, "qy": 0.7, "qz": 0.7, "qw": 0.0}],
 "intrinsics": [
  {"camera_type": "kb4", "intrinsics": {"fx": 40.0, "fy": 41.0, "cx": 47.5, "cy": 31.5,
   "k1": 0.05, "k2": -0.02, "k3": 0.004, "k4": -0.0006}},
  {"camera_type": "pinhole-radtan8", "intrinsics": {"fx": 80.0, "fy": 81.0, "cx": 47.5, "cy": 31.5, "k1": 0.1,
   "k2": -0.05, "p1": 0.001, "p2": -0.001, "k3": 0.01, "k4": 0.2, "k5": -0.02, "k6": 0.005, "rpmax": 2.7}},
  {"camera_type": "eucm", "intrinsics": {"fx": 60.0, "fy": 61.0, "cx": 47.5, "cy": 31.5, "alpha": 0.6, "beta": 1.1}}],
 "resolution": [[96, 64], [96, 64], [96, 64]], "vignette": [], "imu_update_rate": 200.0}}
"""
_OURS = camera_to_yaml(
    Camera(fx=80.0, fy=81.0, cx=47.5, cy=31.5, width=96, height=64, lens=Lens("brown", (-0.2, 0.03, 1e-3, -1e-3)))
)
CAMERAS = {
    "ours": {"ours.yaml": _OURS},
    "opencv": {"opencv.yaml": _OPENCV, "opencv.xml": _XML, "opencv.json": _JSON},
    "camera_info": {"ros.yaml": _ROS, "echo.yaml": _ECHO + _ECHO},
    "kalibr": {"omni.yaml": _KALIBR, "camchain.yaml": _CAMCHAIN, "sensor.yaml": _EUROC},
    "kitti_360": {"image_02.yaml": _MEI, "perspective.txt": _KITTI_360},
    "colmap": {"cameras.txt": _ONE_OF_COLMAP, "many.txt": _COLMAP},
    "nerfstudio": {
        "transforms.json": _TRANSFORMS,
        "angles.json": _ANGLES,
        "per_frame.json": _PER_FRAME,
        "l.json": _LISTED,
    },
    "basalt": {"calibration.json": _BASALT},
    "orb_slam": {"settings.yaml": _ORB_SLAM},
}
"""Files by the kind of their cameras, each a folder of the corpus."""
NAMES = {"camchain.yaml": ("cam0", "cam1"), "many.txt": tuple("12345678"), "calibration.json": ("cam0", "cam1", "cam2")}
"""The cameras of files that hold several."""


def write_cameras(folder: Path) -> None:
    """Write all of them, a folder for each kind."""
    for kind, files in CAMERAS.items():
        place = folder / "camera" / kind
        place.mkdir(parents=True)
        for name, text in files.items():
            (place / name).write_text(text)
