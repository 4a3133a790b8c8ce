"""What the tests of odometry evaluation share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers.trajectories import STREET_FRAMES
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.sources.rendered import write_drive
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry
from selfdepth.weights.files import WeightsMeta, save_weights


@pytest.fixture(scope="session")
def street() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=3, frames=STREET_FRAMES, width=96, height=64, stops=False))


@pytest.fixture(scope="session")
def world(street: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The street in every layout: odometry/, raw/ and folder/; and model/. Not to be changed."""
    root = tmp_path_factory.mktemp("world")
    for number in (0, 9):
        write_kitti_odometry(street, root / "odometry", number=number)
    write_kitti_raw(street, root / "raw", scan_every=0, image_format="png")
    write_drive(street, root / "folder")
    torch.manual_seed(0)
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = TrainConfig(width=64, height=64, encoder=encoder, crop="0,0,8,8", every="1")
    learner = SelfSupervisedDepth(config)
    with torch.no_grad():
        learner.pose_net.decoder.output.bias[5] = -100
    save_weights(root / "model", learner.state_dict(), WeightsMeta(config=config, camera=None, scale="relative"))
    return root
