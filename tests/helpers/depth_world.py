"""A small KITTI root with ground truth, a split, models and predictions, for the tests of depth evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from PIL import Image

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.raw import KittiTruth
from selfdepth.networks.depth import DepthNet
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.weights.files import WeightsMeta, save_weights

DATE = "2011_09_26"
DRIVE = "2011_09_26_drive_0001_sync"
SEQUENCE = f"{DATE}/{DRIVE}/image_02"
N_FRAMES, WIDTH, HEIGHT = 5, 128, 64
TEST = (4, 0, 2)
"""Numbers of the test frames, in the order of the split. Every second frame has a scan, so that all of these have
one."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A rendered KITTI root and what belongs to it. Tests change copies, never the root itself.

    Attributes:
        root: of KITTI raw; frames 0, 2 and 4 have scans.
        split: its test frames are TEST; frame 1 is for validation, and frame 400, which does not exist, for training.
        model: at 96x64 pixels.
        cropped_model: the same weights, trained on frames without their margins.
        predictions: disparities of the test frames, 12x24 pixels.
    """

    root: Path
    split: Path
    model: Path
    cropped_model: Path
    predictions: ndarray

    @property
    def refs(self) -> list[FrameRef]:
        """The test frames."""
        return [FrameRef(SEQUENCE, number) for number in TEST]

    def truths(self) -> list[ndarray]:
        """Ground truth of the test frames."""
        found = [KittiTruth(self.root)(ref) for ref in self.refs]
        return [truth for truth in found if truth is not None]


def write_split(folder: Path, **parts: Iterable[int]) -> Path:
    """Write the frame numbers of each part ("train", "val", "test") as a split. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, numbers in parts.items():
        lines = [f"{DATE}/{DRIVE} {number} l\n" for number in numbers]
        (folder / f"{part}_files.txt").write_text("".join(lines))
    return folder


def save_depth_model(folder: Path, *, crop: str | None = None) -> Path:
    """Write a small depth network, the same each time, as a model of 96x64 pixels. Returns the folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = DepthNet("test_resnet")
    state = {f"depth_net.{name}": tensor for name, tensor in network.state_dict().items()}
    encoder = EncoderConfig(name="test_resnet", pretrained=False)
    config = TrainConfig(width=96, height=64, crop=crop, encoder=encoder)
    save_weights(folder, state, WeightsMeta(config=config, camera=None, scale="relative"))
    return folder


def build_world(folder: Path) -> World:
    """Render and write all of it."""
    drive = render_drive(DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT))
    write_kitti_raw(drive, folder / "kitti", scan_every=2, image_format="png")
    return World(
        root=folder / "kitti",
        split=write_split(folder / "split", test=TEST, val=(1,), train=(400,)),
        model=save_depth_model(folder / "model"),
        cropped_model=save_depth_model(folder / "cropped", crop="8,4,16,0"),
        predictions=np.random.default_rng(0).uniform(0.02, 0.5, (len(TEST), 12, 24)).astype(np.float32),
    )


def write_improved(folder: Path, numbers: Iterable[int], camera: str = "image_02") -> dict[int, ndarray]:
    """Write improved ground truth as KITTI publishes it, in 16-bit PNGs. Returns its metres, by frame number."""
    rng, metres = np.random.default_rng(1), {}
    for number in numbers:
        values = np.where(rng.random((HEIGHT, WIDTH)) < 0.3, rng.integers(500, 25000, (HEIGHT, WIDTH)), 0)
        path = folder / DRIVE / "proj_depth/groundtruth" / camera / f"{number:010d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint16)).save(path)
        metres[number] = values / 256
    return metres
