"""Following a camera along frames."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.evaluation.odometry import chain
from selfdepth.geometry.se3 import invert
from selfdepth.inference.odometry import MotionPredictor, Odometer, has_pose_network
from selfdepth.inference.weights import LoadedWeights, load_weights
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.structs import Batch

N = 7


@pytest.fixture(scope="module")
def weights(moving_model: Path) -> LoadedWeights:
    return load_weights(moving_model)


@pytest.fixture(scope="module")
def predictor(weights: LoadedWeights) -> MotionPredictor:
    return MotionPredictor(weights, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def images() -> list[UInt8[ndarray, "h w 3"]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (64, 96, 3)).astype(np.uint8) for _ in range(N)]


def poses_of(predictor: MotionPredictor, images: list[ndarray], batch: int = N) -> list[ndarray | None]:
    odometer = Odometer(predictor)
    return [pose for start in range(0, len(images), batch) for pose in odometer.advance(images[start : start + batch])]


def test_the_camera_is_followed_as_the_learner_was_trained_to(
    predictor: MotionPredictor, weights: LoadedWeights, images: list[ndarray]
) -> None:
    learner = SelfSupervisedDepth(weights.config)
    learner.load_state_dict(weights.state)
    learner.eval()
    frames = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    motions = []
    with torch.no_grad():
        for i in range(N - 1):
            pair = frames[[i, i + 1]][None]
            batch = Batch(frames=pair, inputs=pair, K=torch.eye(3)[None], offsets=(1,))
            motions.append(learner.relative_transforms(batch)[0, 0].double().numpy())
            # As a source in the past, the same pair gives the inverse.
            past = dataclasses.replace(batch, frames=pair.flip(1), inputs=pair.flip(1), offsets=(-1,))
            back = invert(learner.relative_transforms(past))[0, 0].double().numpy()
            np.testing.assert_allclose(back, motions[-1], atol=1e-5)
    expected = chain(np.stack(motions))
    assert np.linalg.norm(expected[1, :3, 3]) > 0.05
    np.testing.assert_allclose(np.stack(poses_of(predictor, images)), expected, atol=1e-5)


def test_the_world_is_the_first_camera(predictor: MotionPredictor, images: list[ndarray]) -> None:
    np.testing.assert_array_equal(Odometer(predictor).advance(images[:1])[0], np.eye(4))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_the_path_does_not_depend_on_how_many_frames_come_at_once(
    predictor: MotionPredictor, images: list[ndarray], batch: int
) -> None:
    np.testing.assert_allclose(
        np.stack(poses_of(predictor, images, batch)), np.stack(poses_of(predictor, images)), atol=1e-5
    )


@pytest.mark.parametrize("batch", [1, 2, 4, N])
def test_with_a_spacing_only_every_so_many_frames_have_a_pose(
    weights: LoadedWeights, predictor: MotionPredictor, images: list[ndarray], batch: int
) -> None:
    spaced = MotionPredictor(weights, spacing=3, device="cpu", precision="fp32")
    poses = poses_of(spaced, images, batch)
    assert [pose is not None for pose in poses] == [i % 3 == 0 for i in range(N)]
    np.testing.assert_allclose(np.stack(poses[::3]), np.stack(poses_of(predictor, images[::3])), atol=1e-5)


def test_the_spacing_is_that_of_the_training(weights: LoadedWeights) -> None:
    config = dataclasses.replace(weights.config, every="4")
    assert MotionPredictor(dataclasses.replace(weights, config=config), device="cpu").spacing == 4


def test_no_frames_are_no_poses(predictor: MotionPredictor) -> None:
    assert Odometer(predictor).advance([]) == []


def test_a_model_without_a_pose_network_is_refused_in_one_sentence(model: Path, weights: LoadedWeights) -> None:
    assert has_pose_network(weights) and not has_pose_network(load_weights(model))
    with pytest.raises(CheckpointError, match="the model has no pose network") as refusal:
        MotionPredictor(load_weights(model), device="cpu")
    assert "\n" not in str(refusal.value)


def test_a_pose_network_that_looks_at_whole_clips_is_refused_in_one_sentence(weights: LoadedWeights) -> None:
    encoder = dataclasses.replace(weights.config.encoder, pose_input="all")
    config = dataclasses.replace(weights.config, encoder=encoder)
    with pytest.raises(CheckpointError, match="looks at whole clips") as refusal:
        MotionPredictor(dataclasses.replace(weights, config=config), device="cpu")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("every", "spacing", "sentence"), [("auto", None, "--every N"), ("1", 0, "at least 1")])
def test_a_spacing_that_is_not_known_or_impossible_is_refused(
    weights: LoadedWeights, every: str, spacing: int | None, sentence: str
) -> None:
    config = dataclasses.replace(weights.config, every=every)
    with pytest.raises(ConfigError, match=sentence):
        MotionPredictor(dataclasses.replace(weights, config=config), spacing=spacing, device="cpu")


def test_weights_of_another_pose_network_are_refused(weights: LoadedWeights) -> None:
    state = {name: tensor for name, tensor in weights.state.items() if "squeeze" not in name}
    with pytest.raises(CheckpointError, match=r"do not fit the network.*squeeze"):
        MotionPredictor(dataclasses.replace(weights, state=state), device="cpu")
