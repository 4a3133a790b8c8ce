"""A run that learns from another model: what it takes over, and which teachers and options are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.engine.run_config import read_run_config
from selfdepth.engine.self_teacher import check_spacing, check_student
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.weights.files import LoadedWeights, WeightsMeta, load_weights, save_weights


@pytest.fixture(scope="module")
def student(whole_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = replace(whole_run.config, self_teacher=str(whole_run.folder / "last"))
    return train(config, tmp_path_factory.mktemp("runs") / "student")


@pytest.fixture(scope="module")
def teacher(whole_run: Run) -> LoadedWeights:
    return load_weights(whole_run.folder / "last")


def test_a_student_is_a_whole_model_with_its_teachers_motion(student: Run, teacher: LoadedWeights) -> None:
    loaded = load_weights(student.folder / "last")
    pose = [name for name in teacher.state if name.startswith("pose_net.")]
    assert pose and all(torch.equal(loaded.state[name], teacher.state[name]) for name in pose)
    assert MotionPredictor(loaded, device="cpu").spacing == 1
    assert Predictor(loaded, device="cpu").has_confidence


def test_its_record_has_the_deviation_from_the_teacher_and_finite_numbers_only(student: Run) -> None:
    first = read_metrics(student.folder)[0]
    assert {"loss", "loss/scale_0", "deviation", "confidence", "disparity_spread"} <= first.keys()
    assert "motion" not in first and first["deviation"] > 0 and 0 < first["confidence"] < 1
    numbers = [value for value in first.values() if isinstance(value, float)]
    assert all(torch.isfinite(torch.tensor(numbers)))


def test_a_student_is_resumed_exactly(student: Run, tmp_path: Path) -> None:
    train(replace(student.config, steps=2), tmp_path / "half")
    resumed = train(replace(student.config, steps=4), tmp_path / "half", resume=True)
    whole = student.learner.state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in resumed.learner.state_dict().items())


def test_a_student_can_start_from_another_model_and_keeps_its_teachers_motion(
    student: Run, whole_run: Run, teacher: LoadedWeights, tmp_path: Path
) -> None:
    other = {name: tensor * 1.01 for name, tensor in teacher.state.items() if tensor.is_floating_point()}
    state = teacher.state | other
    save_weights(tmp_path / "other", state, WeightsMeta(config=teacher.config, camera=None, scale="relative"))
    config = replace(student.config, init=str(tmp_path / "other"), steps=1, learning_rate=1e-12)
    started = train(config, tmp_path / "run").learner.state_dict()
    name = "depth_net.decoder.outputs.0.weight"
    torch.testing.assert_close(started[name], state[name], rtol=0, atol=1e-8)
    assert torch.equal(started["pose_net.decoder.output.bias"], teacher.state["pose_net.decoder.output.bias"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"width": 96}, "--width; expected 64"),
        ({"height": 96}, "--height; expected 64"),
        ({"crop": "0,1,0,0"}, "--crop"),
        ({"loss": LossConfig(near=0.2)}, "--loss.near; expected 0.1"),
        ({"loss": LossConfig(far=50.0)}, "--loss.far; expected 100"),
        ({"stereo": "nominal"}, "--stereo; expected none"),
        ({"offsets": (-2, 2)}, "--offsets"),
        ({"every": "2"}, "--every; expected 1"),
        ({"encoder": EncoderConfig(pose_network="posecnn", pretrained=False)}, "--encoder.pose-network"),
        ({"encoder": EncoderConfig(name="test_resnet", pose_name="resnet18")}, "--encoder.pose-name"),
        ({"encoder": EncoderConfig(name="test_resnet", pose_name="test_resnet", pose_input="all")}, "pose-input"),
    ],
)
def test_a_student_needs_the_options_of_its_teacher(
    teacher: LoadedWeights, tiny: TrainConfig, changes: dict[str, Any], named: str
) -> None:
    config = replace(tiny, self_teacher="runs/first", height=64)
    check_student(config, teacher)
    with pytest.raises(ConfigError, match="a student needs the options of its teacher") as refused:
        check_student(replace(config, **changes), teacher)
    assert named in str(refused.value) and "runs/first" in str(refused.value)


def test_a_height_or_spacing_that_is_not_known_yet_is_not_compared(teacher: LoadedWeights, tiny: TrainConfig) -> None:
    config = replace(tiny, self_teacher="runs/first", every="auto")
    check_student(config, teacher)
    with pytest.raises(ConfigError, match="--every"):
        check_spacing(config, 3, teacher)


def test_a_student_of_another_encoder_and_fewer_scales_is_accepted(teacher: LoadedWeights, tiny: TrainConfig) -> None:
    encoder = replace(tiny.encoder, name="test_efficientnet", scales=(0, 1))
    check_student(replace(tiny, self_teacher="runs/first", encoder=encoder), teacher)


def test_what_cannot_teach_is_refused_before_anything_is_written(
    student: Run, whole_run: Run, teacher: LoadedWeights, tmp_path: Path
) -> None:
    depth = {name: tensor for name, tensor in teacher.state.items() if name.startswith("depth_net.")}
    save_weights(tmp_path / "depth", depth, WeightsMeta(config=teacher.config, camera=None, scale="relative"))
    first = str(whole_run.folder / "last")
    for changes, error, words in (
        ({"self_teacher": str(student.folder)}, ConfigError, "a student itself"),
        ({"self_teacher": str(tmp_path / "depth")}, CheckpointError, "no pose network for its student"),
        ({"self_teacher": str(tmp_path)}, CheckpointError, "holds no model"),
        ({"init": first}, ConfigError, "starts as its teacher"),
    ):
        with pytest.raises(error, match=words):
            train(replace(student.config, **changes), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


def test_the_run_and_its_model_remember_the_teacher(student: Run) -> None:
    assert read_run_config(student.folder).self_teacher == load_weights(student.folder).config.self_teacher
