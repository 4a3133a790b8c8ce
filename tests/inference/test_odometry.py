"""Following a camera along frames."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.errors import CheckpointError, ConfigError, DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.rigid import chain
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.inference import odometry
from selfdepth.inference.odometry import ClipPlan, MotionPredictor, Odometer, has_pose_network
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.structs import Batch
from selfdepth.weights.files import LoadedWeights, WeightsMeta, load_weights, save_weights

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


def test_a_model_that_learned_by_aligned_motions_is_followed_by_them_where_the_camera_is_known(
    weights: LoadedWeights, images: list[ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Camera.from_fov(60.0, width=weights.config.width, height=weights.config.height)
    loss = dataclasses.replace(weights.config.loss, align_motion=True)
    aligning = dataclasses.replace(weights, config=dataclasses.replace(weights.config, loss=loss))
    turn = transform_from_axis_angle(torch.tensor([0.0, 0.02, 0.0]), torch.zeros(3))
    seen: list[tuple[Tensor, ...]] = []

    def watched(T: Tensor, depth: Tensor, frames: Tensor, K: Tensor, lenses: None) -> Tensor:
        seen.append((depth, frames, K))
        return turn @ T

    monkeypatch.setattr(odometry, "align", watched)

    def path(model: LoadedWeights, camera: Camera | None) -> ndarray:
        odometer = Odometer(MotionPredictor(model, device="cpu", precision="fp32"), camera)
        return np.stack([pose for pose in odometer.advance(images) if pose is not None])

    raw = path(weights, None)
    np.testing.assert_array_equal(path(weights, camera), raw)
    np.testing.assert_array_equal(path(aligning, None), raw)
    assert not seen
    T_next_current = np.linalg.inv(raw[1:]) @ raw[:-1]
    np.testing.assert_allclose(path(aligning, camera), chain(turn.double().numpy() @ T_next_current), atol=1e-5)
    ((depth, frames, K),) = seen
    assert depth.shape == (N - 1, 1, weights.config.height, weights.config.width) and (depth > 0).all()
    target = torch.from_numpy(images[0]).permute(2, 0, 1).float() / 255
    torch.testing.assert_close(frames[0, 0], target)
    torch.testing.assert_close(K[0].double(), torch.from_numpy(camera.matrix()), rtol=1e-5, atol=1e-5)


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


def seeing_clips(folder: Path, weights: LoadedWeights, offsets: tuple[int, ...]) -> LoadedWeights:
    """A model whose pose network looks at whole clips, with random weights."""
    torch.manual_seed(2)
    encoder = dataclasses.replace(weights.config.encoder, pose_input="all")
    config = dataclasses.replace(weights.config, encoder=encoder, offsets=offsets)
    learner = SelfSupervisedDepth(config)
    with torch.no_grad():
        learner.pose_net.decoder.output.weight *= 30
    save_weights(folder, learner.state_dict(), WeightsMeta(config=config, camera=None, scale="relative"))
    return load_weights(folder)


def test_of_triplets_the_targets_own_motion_is_chained_and_at_the_start_its_neighbours_inverted(
    weights: LoadedWeights, images: list[ndarray], tmp_path: Path
) -> None:
    clips = seeing_clips(tmp_path, weights, (-1, 1))
    learner = SelfSupervisedDepth(clips.config)
    learner.load_state_dict(clips.state)
    learner.eval()
    frames = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    motions = []
    for target in range(1, N - 1):
        triplet = frames[[target, target - 1, target + 1]][None]
        batch = Batch(frames=triplet, inputs=triplet, K=torch.eye(3)[None], offsets=(-1, 1))
        with torch.no_grad():
            T_previous_target, T_next_target = learner.relative_transforms(batch)[0]
        if target == 1:
            motions.append(invert(T_previous_target).double().numpy())
        motions.append(T_next_target.double().numpy())
    assert np.abs(motions[0] - motions[1]).max() > 1e-3
    expected = chain(np.stack(motions))
    predictor = MotionPredictor(clips, device="cpu", precision="fp32")
    for batch_size in (1, 3, N):
        np.testing.assert_allclose(np.stack(followed(predictor, images, batch_size)), expected, atol=1e-5)


def followed(predictor: MotionPredictor, images: list[ndarray], batch: int) -> list[ndarray | None]:
    odometer = Odometer(predictor)
    parts = [odometer.advance(images[start : start + batch]) for start in range(0, len(images), batch)]
    return [pose for part in (*parts, odometer.finish()) for pose in part]


@pytest.mark.parametrize("spacing", [1, 3])
@pytest.mark.parametrize("offsets", [(-1, 1), (1, -1), (1, 2), (-2, -1), (-2, -1, 1, 2), (1, 2, 3)])
def test_whatever_clips_are_looked_at_true_motions_give_the_true_path(
    offsets: tuple[int, ...], spacing: int, weights: LoadedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pose network that reads the number of each frame off its pixels, and knows where the camera was."""
    n_frames = 17
    rng = np.random.default_rng(4)
    axis_angle, translation = (torch.from_numpy(rng.normal(0, size, (n_frames, 3))) for size in (0.4, 2.0))
    T_world_camera = transform_from_axis_angle(axis_angle, translation)
    T_world_camera[0] = torch.eye(4)
    numbered = [np.full((64, 96, 3), number, np.uint8) for number in range(n_frames)]

    def known(batch: Batch) -> Tensor:
        numbers = (batch.frames[:, :, 0, 0, 0] * 255).round().long()
        assert batch.offsets == offsets
        steps = torch.tensor([[0, *offsets]]) * spacing
        assert (numbers - numbers[:, :1] == steps).all(), "these are clips as at training"
        T_target, T_source = T_world_camera[numbers[:, :1]], T_world_camera[numbers[:, 1:]]
        return torch.linalg.inv(T_source) @ T_target

    predictor = MotionPredictor(weights, spacing=spacing, device="cpu", precision="fp32")
    monkeypatch.setattr(predictor, "plan", ClipPlan(times=(0, *offsets)))
    monkeypatch.setattr(predictor, "_learner", SimpleNamespace(relative_transforms=known))
    for batch in (1, 2, 5, 40):
        poses = followed(predictor, numbered, batch)
        assert [pose is not None for pose in poses] == [i % spacing == 0 for i in range(n_frames)], batch
        np.testing.assert_allclose(np.stack(poses[::spacing]), T_world_camera[::spacing], atol=1e-9)


def test_fewer_frames_than_a_clip_has_are_refused_but_for_one(
    weights: LoadedWeights, images: list[ndarray], tmp_path: Path
) -> None:
    predictor = MotionPredictor(seeing_clips(tmp_path, weights, (-1, 1)), device="cpu")
    np.testing.assert_array_equal(followed(predictor, images[:1], 1), [np.eye(4)])
    with pytest.raises(DataError, match=r"too short for a motion; expected more than 2 frames.* 3 together; got 2"):
        followed(predictor, images[:2], 1)


@pytest.mark.parametrize("offsets", [(-2, 2), (-3, 1), (-1, 2)])
def test_a_pose_network_that_looks_at_clips_with_gaps_is_refused_in_one_sentence(
    offsets: tuple[int, ...], weights: LoadedWeights
) -> None:
    encoder = dataclasses.replace(weights.config.encoder, pose_input="all")
    config = dataclasses.replace(weights.config, encoder=encoder, offsets=offsets)
    with pytest.raises(CheckpointError, match="takes clips with gaps") as refusal:
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
