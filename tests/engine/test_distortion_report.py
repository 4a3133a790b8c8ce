"""What a clip tells of a distortion: nothing where the camera drives along its axis, much where it turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.lenses import camera as lens_camera
from selfdepth.engine.distortion_report import left_over
from selfdepth.engine.distortion_verdict import hidden_share
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.learners.camera import LearnedCamera
from selfdepth.learners.lens import LearnedLens
from selfdepth.structs import Batch

BY_EDGE = np.array([0.0, 0.0, 0.0, 1.0, 0.2])


def hidden(turn_rad: float, translation: tuple[float, float, float], name: str = "brown") -> float:
    """The change of the edge that leaves no more than a tenth of a pixel, seen by the motions there and back."""
    camera = replace(lens_camera(name, width=96, height=64), cx=47.5, cy=31.5)
    frames = torch.zeros(1, 3, 3, 64, 96)
    K = torch.from_numpy(camera.matrix())[None]
    batch = Batch(frames=frames, inputs=frames, K=K, offsets=(-1, 1), lenses=Lenses.of([camera]))
    depth = 5 + 10 * torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    T = torch.stack([_motion(sign * turn_rad, sign * torch.tensor([translation])) for sign in (1, -1)], 1)
    lens = LearnedLens([camera])
    information, pixels = left_over(batch, depth, T, LearnedCamera(1), lens)
    return hidden_share(information / pixels, BY_EDGE[: 3 + lens.bend.shape[1]], 0.1)


def _motion(turn_rad: float, translation: Tensor) -> Tensor:
    return transform_from_axis_angle(torch.tensor([[0.0, turn_rad, 0.0]]), translation)


@pytest.mark.parametrize("name", ["brown", "fisheye", "ucm"])
def test_driving_along_the_axis_tells_nothing_of_a_distortion_and_turns_do(name: str) -> None:
    straight, slight, strong = (hidden(turn, (0.0, 0.0, -1.0), name) for turn in (0.0, 0.02, 0.2))
    assert strong < slight < straight
    assert straight > 0.5 and strong < 0.5 * slight


def test_motion_across_the_axis_tells_of_a_distortion_without_any_turn() -> None:
    assert hidden(0.0, (1.0, 0.0, -0.3)) < 0.2 * hidden(0.0, (0.0, 0.0, -1.0))


def test_a_camera_that_stands_still_tells_nothing() -> None:
    assert hidden(0.0, (0.0, 0.0, 0.0)) > 100
