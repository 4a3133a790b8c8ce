"""Measured depth as a witness."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.frames import FrameRef
from selfdepth.data.truth import GivenTruth
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.metrics import PROTOCOLS
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.scale.frames import ScaleFrame
from selfdepth.scale.lidar import LidarWitness

CAMERA = Camera(fx=40, fy=40, cx=32, cy=16, width=64, height=32)
REF = FrameRef("a", 0)
RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(2, 60, (32, 64))


def frame(depth: np.ndarray, crop: Crop | None = None) -> ScaleFrame:
    return ScaleFrame(ref=REF, time_s=0.0, depth=depth, whole=CAMERA, crop=crop or Crop())


def witness(truth: np.ndarray) -> LidarWitness:
    return LidarWitness(GivenTruth({REF: truth}), PROTOCOLS["dense"], "street")


def test_the_factor_is_the_median_of_true_over_predicted_depth_of_the_measured_pixels() -> None:
    noise = RNG.uniform(0.8, 1.3, TRUTH.shape)
    sparse = np.where(RNG.random(TRUTH.shape) < 0.3, TRUTH, 0)
    (found,) = witness(sparse).observe(frame(TRUTH / 7 * noise))
    assert found == pytest.approx(np.median((7 / noise)[sparse > 0]))


def test_a_map_of_another_resolution_is_compared_at_that_of_the_truth() -> None:
    disparity = np.linspace(0.02, 0.5, 32)[:, None].repeat(64, 1)
    small = 3 * disparity.reshape(16, 2, 32, 2).mean(axis=(1, 3))
    (found,) = witness(1 / disparity).observe(frame(1 / small))
    assert found == pytest.approx(3, rel=1e-6)


def test_truth_is_cropped_with_the_frame() -> None:
    crop = Crop(4, 8, 10, 2)
    (found,) = witness(TRUTH).observe(frame(TRUTH[4:24, 10:62] / 5, crop))
    assert found == pytest.approx(5)
    with pytest.raises(DataError, match="does not have the size of the images"):
        witness(TRUTH[:, :30]).observe(frame(TRUTH[4:24, 10:62], crop))


def test_frames_without_enough_measurements_are_left_out_with_the_reason() -> None:
    few = np.zeros_like(TRUTH)
    few[3, :9] = 5
    assert witness(few).observe(frame(TRUTH)) == "fewer than 50 measured pixels"
    none = LidarWitness(GivenTruth({}), PROTOCOLS["dense"], "street")
    assert none.observe(frame(TRUTH)) == "without measured depth"
