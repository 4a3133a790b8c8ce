"""The camera's way: its direction, and the path for a speed log."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import CheckpointError, DataError
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.scale.frames import ScaleFootage, open_footage
from selfdepth.scale.travel import common_direction, follow, travel_of_model, travel_of_path
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.weights.files import LoadedWeights, load_weights


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=2, frames=8, width=96, height=64, stops=False))


@pytest.fixture(scope="module")
def footage(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> ScaleFootage:
    folder = tmp_path_factory.mktemp("data") / "street"
    write_drive(drive, folder)
    return open_footage(folder)


@pytest.fixture
def weights(tmp_path: Path) -> LoadedWeights:
    return load_weights(write_model(tmp_path / "model", tiny_config()))


def test_the_direction_is_that_of_most_steps_whatever_a_few_say() -> None:
    rng = np.random.default_rng(0)
    steps = np.array([0.1, -0.05, 1.0]) + 0.02 * rng.standard_normal((30, 3))
    steps[:3] = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]
    steps[3] = 1e-9 * np.array([0, 1, 0])  # parked
    found = common_direction(steps)
    assert found == pytest.approx(np.array([0.1, -0.05, 1.0]) / np.linalg.norm([0.1, -0.05, 1.0]), abs=0.02)


@pytest.mark.parametrize(
    "steps",
    [
        np.zeros((9, 3)),
        np.zeros((0, 3)),
        np.array([[0, 0, 1.0], [0, 0, 1.0]]),
        np.random.default_rng(1).standard_normal((50, 3)),
    ],
)
def test_a_parked_or_aimless_camera_has_no_direction(steps: np.ndarray) -> None:
    assert common_direction(steps) is None


def test_a_given_path_of_a_rendered_drive_leads_ahead(drive: SyntheticDrive) -> None:
    path = Trajectory(T_world_camera=drive.T_world_camera, timestamps=drive.timestamps)
    direction = travel_of_path(path)
    assert direction is not None and direction[2] > 0.99 and abs(direction[1]) < 0.02


def test_a_model_without_a_pose_network_knows_no_direction(footage: ScaleFootage, tmp_path: Path) -> None:
    config = tiny_config()
    folder = write_model(tmp_path / "depth", config, state=depth_only(untrained(config).state_dict()))
    assert travel_of_model(footage, footage.refs, load_weights(folder), device="cpu") is None
    with pytest.raises(CheckpointError, match="no pose network"):
        follow(footage, "street", load_weights(folder), device="cpu")


def test_every_frame_that_is_looked_at_is_counted(footage: ScaleFootage, weights: LoadedWeights) -> None:
    counted: list[int] = []
    travel_of_model(footage, footage.refs[:3], weights, device="cpu", advance=counted.append)
    assert sum(counted) == 3
    follow(footage, "street", weights, device="cpu", advance=counted.append)
    assert sum(counted) == 3 + 8


def test_the_direction_is_that_of_the_pairs_one_by_one_though_they_are_read_in_one_pass(
    footage: ScaleFootage, weights: LoadedWeights
) -> None:
    refs = [footage.refs[row] for row in (0, 1, 4, 5, 7)]  # the last has no next frame
    motion = MotionPredictor(weights, device="cpu", precision="fp32")
    (sequence,) = footage.sequences
    steps = []
    for ref in refs[:-1]:
        pair = np.stack(
            [weights.fit(image, sequence.camera)[0] for image in sequence.read((ref.number, ref.number + 1))]
        )
        T_next_current = motion.motions(torch.from_numpy(pair), [0], [0], weights.fit.camera(sequence.camera))
        steps.append(np.linalg.inv(T_next_current[0])[:3, 3])
    found = travel_of_model(footage, refs, weights, device="cpu")
    assert found is not None and found == pytest.approx(common_direction(np.array(steps)), abs=1e-5)


def test_a_path_is_not_continued_across_a_gap(footage: ScaleFootage, weights: LoadedWeights) -> None:
    (whole,) = follow(footage, "street", weights, device="cpu")
    assert len(whole) == 8 and list(whole.timestamps) == list(range(8))
    (sequence,) = footage.sequences
    holed = dataclasses.replace(
        footage,
        sequences=(sequence.without(frozenset({3})),),
        own_times_s={"street": np.array([0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7])},
    )
    first, second = follow(holed, "street", weights, device="cpu")
    assert list(first.timestamps) == [0, 0.1, 0.2] and list(second.timestamps) == [0.4, 0.5, 0.6, 0.7]
    np.testing.assert_allclose(first.T_world_camera, whole.T_world_camera[:3], atol=1e-5)
    alone = dataclasses.replace(footage, sequences=(sequence.without(frozenset(range(1, 8))),))
    with pytest.raises(DataError, match="too short for a motion"):
        follow(alone, "street", weights, device="cpu")


def test_the_path_is_in_the_networks_own_unit_calibrated_or_nominal(footage: ScaleFootage, tmp_path: Path) -> None:
    state = untrained(tiny_config()).state_dict()
    plain, nominal = (
        load_weights(write_model(tmp_path / stereo, tiny_config(stereo=stereo), state=state))
        for stereo in ("none", "nominal")
    )
    paths = [follow(footage, "street", each, device="cpu")[0].T_world_camera for each in (plain, nominal)]
    np.testing.assert_array_equal(*paths)
