"""A rendered drive as a camera with a lens sees it: drawn ray by ray from a larger pinhole rendering."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.cameras import camera_to_yaml
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

BROWN = Camera(
    fx=100.0, fy=101.0, cx=62.3, cy=30.4, width=128, height=64, lens=Lens("brown", (-0.25, 0.06, 0.001, -0.002))
)
"""A barrel, 72 degrees from left to right."""


def rendered(frames: int = 12, *, seed: int = 3) -> SyntheticDrive:
    """The street, four times as fine as `BROWN`, and a little wider."""
    return render_drive(DriveSpec(seed=seed, frames=frames, width=512, height=320, stops=False, brightness_change=0))


def through(image: ndarray, rendering: Camera, camera: Camera, *, samples: int = 3, nearest: bool = False) -> ndarray:
    """What `camera` sees of an image or a depth map of a pinhole rendering with the same pose."""
    fine = camera if nearest else camera.resized(camera.width * samples, camera.height * samples)
    rays, seen = fine.rays()
    pixels, _ = rendering.project(rays.reshape(-1, 3))
    places = pixels.reshape(fine.height, fine.width, 2).astype(np.float32)
    assert seen.all() and places.min() > -1 and (places < (rendering.width, rendering.height)).all()
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    drawn = cv2.remap(image, places[..., 0], places[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
    if nearest:
        return drawn
    return cv2.resize(drawn, (camera.width, camera.height), interpolation=cv2.INTER_AREA)


def write_lens_drive(folder: Path, camera: Camera = BROWN, *, frames: int = 12, calibrated: bool = True) -> Path:
    """Images, and with `calibrated` also camera.yaml, poses.txt and depth.npz (z in metres). Returns the folder."""
    drive = rendered(frames)
    folder.mkdir(parents=True)
    for number, image in enumerate(drive.images):
        Image.fromarray(through(image, drive.camera, camera)).save(folder / f"{number:06d}.png")
    if calibrated:
        (folder / "camera.yaml").write_text(camera_to_yaml(camera))
        path = Trajectory(T_world_camera=drive.T_world_camera, timestamps=drive.timestamps)
        (folder / "poses.txt").write_text(path.to_kitti())
        depth = np.stack([through(each, drive.camera, camera, nearest=True) for each in drive.depth])
        np.savez_compressed(folder / "depth.npz", depth=depth)
    return folder
