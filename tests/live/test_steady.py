"""The filter over time: what it keeps, what it takes away, and where it holds back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.models import HEIGHT, WIDTH
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.rigid import inverse
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.live.steady import Steady, carried_along
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.weights.files import load_weights


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=5, frames=2, width=192, height=64, moving_cars=False, brightness_change=0.0))


class Pair:
    """Two frames of a drive, with what is known of them."""

    def __init__(self, drive: SyntheticDrive) -> None:
        far = 1e3
        depth = torch.from_numpy(np.where(drive.depth > 0, drive.depth, far)).float()
        self.past, self.now = (1 / depth[i][None, None] for i in (0, 1))
        self.images = tuple(torch.from_numpy(drive.images[i]).permute(2, 0, 1)[None].float() / 255 for i in (1, 0))
        T = inverse(drive.T_world_camera[0]) @ drive.T_world_camera[1]
        self.T_past_now = torch.from_numpy(T).float()[None]
        self.K = torch.from_numpy(drive.camera.matrix()).float()[None]

    def carried(self, now: Tensor, past: Tensor, *, memory: float = 0.8) -> Tensor:
        return carried_along(now, past, self.images, self.T_past_now, self.K, memory=memory)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pair(drive: SyntheticDrive) -> Pair:
    return Pair(drive)


def test_true_depth_stays_true(pair: Pair) -> None:
    change = (pair.carried(pair.now, pair.past) / pair.now).log().abs()
    assert change.median() < 0.002 and change.mean() < 0.02


def test_a_flicker_of_the_whole_frame_is_taken_away_by_the_weight_of_the_past(pair: Pair) -> None:
    near = pair.now > 1 / 30
    left = (pair.carried(1.1 * pair.now, pair.past) / pair.now).log()[near].median()
    assert left < 0.5 * np.log(1.1)


def test_without_memory_nothing_changes(pair: Pair) -> None:
    noisy = 1.1 * pair.now
    assert torch.equal(pair.carried(noisy, pair.past, memory=0.0), noisy)


def test_where_the_images_disagree_the_past_does_not_count(pair: Pair) -> None:
    elsewhere = Pair.__new__(Pair)
    vars(elsewhere).update(vars(pair))
    elsewhere.images = (pair.images[0], pair.images[1].flip(-1, -2))
    near = pair.now > 1 / 30
    noisy = 1.1 * pair.now
    kept = (elsewhere.carried(noisy, pair.past) / noisy).log().abs()[near].mean()
    moved = (pair.carried(noisy, pair.past) / noisy).log().abs()[near].mean()
    assert kept < 0.5 * moved


def test_what_the_past_saw_something_else_at_is_left_alone(pair: Pair) -> None:
    # Far nearer: an occlusion, not a flicker.
    change = (pair.carried(pair.now, 2.5 * pair.past) / pair.now).log().abs()
    assert change.quantile(0.99) < 0.02 and change.mean() < 0.002


def test_edges_stay_as_sharp_as_they_are(pair: Pair) -> None:
    def edges(disparity: Tensor) -> float:
        return float(disparity.log().diff(dim=-1).abs().clamp(max=1).mean())

    assert edges(pair.carried(pair.now, pair.past)) > 0.97 * edges(pair.now)


def test_the_result_is_finite_and_above_zero_whatever_the_motion(pair: Pair) -> None:
    for T in (torch.eye(4), -5 * torch.eye(4), torch.full((4, 4), 1e4)):
        found = carried_along(pair.now, pair.past, pair.images, T[None], pair.K, memory=0.8)  # type: ignore[arg-type]
        assert torch.isfinite(found).all() and (found > 0).all()


def steady_of(model: Path, **more: float) -> tuple[Predictor, Steady]:
    weights = load_weights(model)
    predictor = Predictor(weights, device="cpu", precision="fp32")
    return predictor, Steady(predictor, MotionPredictor(weights, spacing=1, device="cpu", precision="fp32"), **more)


def image(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (150, 100), (64, 64)])
def test_the_first_frame_is_that_of_predict(moving_model: Path, size: tuple[int, int]) -> None:
    predictor, steady = steady_of(moving_model)
    frame = image(1, *size)
    found, plain = steady(frame, None), predictor.predict(frame)
    np.testing.assert_allclose(found.disparity, plain.disparity, rtol=1e-5)
    np.testing.assert_allclose(found.depth, plain.depth, rtol=1e-5)
    assert found.camera == plain.camera and found.scale == plain.scale


def test_without_memory_every_frame_is_that_of_predict(moving_model: Path) -> None:
    predictor, steady = steady_of(moving_model, memory=0.0)
    for seed in range(3):
        np.testing.assert_allclose(steady(image(seed), None).depth, predictor.predict(image(seed)).depth, rtol=1e-5)


def test_a_frame_of_another_size_forgets_the_past(moving_model: Path) -> None:
    predictor, steady = steady_of(moving_model)
    steady(image(0), None)
    other = image(1, 150, 100)
    np.testing.assert_allclose(steady(other, None).depth, predictor.predict(other).depth, rtol=1e-5)


def test_the_same_frame_again_with_a_model_that_sees_no_motion_changes_nothing(
    moving_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, steady = steady_of(moving_model)
    monkeypatch.setattr(MotionPredictor, "motions", lambda self, images, starts, targets: np.eye(4)[None])
    for _ in range(3):
        found = steady(image(), None)
    np.testing.assert_allclose(found.disparity, predictor.predict(image()).disparity, rtol=1e-4)


def test_without_a_camera_one_is_assumed_and_said_once(moving_model: Path) -> None:
    _, steady = steady_of(moving_model)
    square = image(0, 100, 100)
    steady(square, None)
    with pytest.warns(SelfDepthWarning, match="60 degrees") as said:
        steady(square, None)
        steady(square, None)
    assert [each.category for each in said] == [SelfDepthWarning]


def test_a_given_camera_is_that_of_the_prediction(moving_model: Path) -> None:
    _, steady = steady_of(moving_model)
    camera = Camera.from_fov(70, width=100, height=100)
    for _ in range(2):
        assert steady(image(0, 100, 100), camera).camera == camera
