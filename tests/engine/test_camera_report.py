"""A run that learns its camera: what it leaves behind, how it goes on, and what the verbs then know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.same_run import difference
from selfdepth.cli.info import describe as info_of
from selfdepth.config import TrainConfig
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.engine import camera_report, camera_windows, focal_length
from selfdepth.engine.camera_report import CAMERA_FILE, VERDICT_FILE, read_distortions, read_verdicts
from selfdepth.engine.checkpoint import newest_intact
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import DataError
from selfdepth.inference.predictor import Predictor
from selfdepth.weights.files import load_weights


@pytest.fixture(scope="module", autouse=True)
def few_windows() -> Iterator[None]:
    """One short window and one clip determine nothing, and cost little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(focal_length, "WINDOWS", 1)
        patch.setattr(camera_windows, "REACH", 4)
        patch.setattr(camera_report, "_CLIPS", 1)
        yield


@pytest.fixture(scope="module")
def learning(tiny: TrainConfig) -> TrainConfig:
    """A run that learns its camera, from 90 degrees on."""
    return replace(tiny, camera="learn:fov:90")


@pytest.fixture(scope="module")
def learned_run(learning: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """It, finished."""
    return train(learning, tmp_path_factory.mktemp("learned") / "run")


def test_the_camera_moves_from_its_start_and_is_the_models(learned_run: Run) -> None:
    (camera,) = learned_run.cameras
    start = learned_run.data.camera
    assert start.fx == pytest.approx(32.0) != camera.fx
    assert camera.fx / camera.fy == pytest.approx(start.fx / start.fy)
    assert load_weights(learned_run.folder / "last").camera == camera
    assert read_metrics(learned_run.folder)[0]["camera/fx"] > 0


def test_the_weights_are_those_of_the_networks_alone(learned_run: Run, whole_run: Run) -> None:
    states = [load_weights(run.folder / "last").state for run in (learned_run, whole_run)]
    assert states[0].keys() == states[1].keys()


def test_the_file_is_one_for_the_option_and_gives_the_camera_back(learned_run: Run) -> None:
    (camera,) = learned_run.cameras
    path = learned_run.folder / CAMERA_FILE
    assert parse_camera(str(path), width=camera.width, height=camera.height) == camera


def test_what_does_not_turn_and_hardly_learned_is_not_called_known(learned_run: Run) -> None:
    ((camera, verdict),) = read_verdicts(learned_run.folder)
    assert camera == learned_run.cameras[0]
    assert not verdict.is_known
    shown = info_of(str(learned_run.folder))["camera learned"]
    assert f"{camera.fx:.1f} px in frames of 64x64" in shown and "NOT known: " in shown


def test_the_user_is_told_at_the_end(learning: TrainConfig, tmp_path: Path, ear: Any) -> None:
    train(replace(learning, steps=1), tmp_path / "run", watcher=ear)
    assert any("focal lengths tried" in text for text in ear.said)
    assert any(text.startswith("warning: the learned focal length is") and CAMERA_FILE in text for text in ear.said)


def test_a_resumed_run_learns_the_same_camera(learning: TrainConfig, learned_run: Run, tmp_path: Path) -> None:
    half = tmp_path / "half"
    train(replace(learning, steps=2), half)
    assert train(learning, half, resume=True).cameras == learned_run.cameras
    assert difference(half, learned_run.folder) == ""
    assert (half / VERDICT_FILE).read_text() == (learned_run.folder / VERDICT_FILE).read_text()


def test_the_checkpoint_holds_the_camera_and_its_moments(learned_run: Run) -> None:
    found = newest_intact(learned_run.folder)
    assert found is not None
    state = torch.load(found.folder / "state.pt", weights_only=True)
    assert {"camera.log_focal", "camera.offset"} <= state["learner"].keys()
    assert len(state["optimizer"]["param_groups"]) == 2


def test_a_run_that_was_killed_while_it_judged_is_judged_when_it_is_resumed(
    learning: TrainConfig, tmp_path: Path
) -> None:
    config, folder = replace(learning, steps=2), tmp_path / "run"
    train(config, folder)
    before = (folder / VERDICT_FILE).read_text()
    (folder / VERDICT_FILE).unlink()
    (folder / CAMERA_FILE).unlink()
    assert info_of(str(folder))["camera learned"].startswith("how well it is known is found at the end")
    train(config, folder, resume=True)
    assert (folder / VERDICT_FILE).read_text() == before and (folder / CAMERA_FILE).exists()


def test_the_learned_camera_serves_a_further_run(learned_run: Run, tiny: TrainConfig, tmp_path: Path) -> None:
    file = learned_run.folder / CAMERA_FILE
    init = str(learned_run.folder)
    run = train(replace(tiny, camera=f"learn:{file}", steps=1, init=init), tmp_path / "run")
    assert run.data.camera == learned_run.cameras[0]


def test_another_run_has_neither_file_nor_line(whole_run: Run) -> None:
    assert not (whole_run.folder / VERDICT_FILE).exists() and read_verdicts(whole_run.folder) == ()
    assert "camera learned" not in info_of(str(whole_run.folder))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: '{"cameras": 3}',
        lambda text: '{"cameras": [3]}',
        lambda text: '{"cameras": [{}]}',
        lambda text: text.replace('"turn_rad": ', '"turn_rad": "x", "was": '),
        lambda text: text.replace('"turn_rad": ', '"turn_rad": -1.0, "was": '),
        lambda text: text.replace('"turn_rad": ', '"turn_rad": NaN, "was": '),
        lambda text: text.replace('"fx": ', '"fx": -1.0, "was": '),
    ],
)
def test_a_damaged_verdict_is_refused_by_name(learned_run: Run, tmp_path: Path, spoil: Callable[[str], str]) -> None:
    text = (learned_run.folder / VERDICT_FILE).read_text()
    assert json.loads(text)["cameras"]
    (tmp_path / VERDICT_FILE).write_text(spoil(text))
    with pytest.raises(DataError, match=VERDICT_FILE):
        read_verdicts(tmp_path)


@pytest.fixture(scope="module")
def bent_run(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that learns the distortion, too, from none on, finished."""
    config = replace(tiny, camera="learn+distortion:fov:90")
    return train(config, tmp_path_factory.mktemp("bent") / "run")


def test_a_learned_distortion_moves_and_is_the_models(bent_run: Run) -> None:
    (camera,) = bent_run.cameras
    assert camera.lens.model == "brown" and camera.lens.coefficients[0] != 0
    assert camera.lens.coefficients[2:4] == (0, 0)
    weights = load_weights(bent_run.folder / "last")
    assert (weights.camera, weights.depth_is, weights.config.rectify) == (camera, "ray", "no")
    assert not any(name.startswith("lens.") for name in weights.state)
    line = read_metrics(bent_run.folder)[0]
    assert {"camera/k1", "camera/k2", "camera/edge"} <= line.keys()


def test_the_file_has_the_distortion_and_gives_the_camera_back(bent_run: Run) -> None:
    (camera,) = bent_run.cameras
    path = bent_run.folder / CAMERA_FILE
    assert "lens: brown" in path.read_text()
    assert parse_camera(str(path), width=camera.width, height=camera.height) == camera


def test_a_distortion_that_was_hardly_learned_is_not_called_known(bent_run: Run, learned_run: Run) -> None:
    (verdict,) = read_distortions(bent_run.folder)
    assert verdict is not None and not verdict.is_known and verdict.motion > 0
    rows = info_of(str(bent_run.folder))
    assert "NOT known: " in rows["lens learned"] and "lens brown k1" in rows["camera"]
    assert "the distance along the ray" in rows["depth is"]
    assert read_distortions(learned_run.folder) == (None,) and "lens learned" not in info_of(str(learned_run.folder))


def test_a_resumed_run_learns_the_same_distortion(bent_run: Run, tmp_path: Path) -> None:
    half = tmp_path / "half"
    train(replace(bent_run.config, steps=2, camera="learn+distortion:fov:90"), half)
    resumed = train(replace(bent_run.config, rectify="auto"), half, resume=True)
    assert resumed.cameras == bent_run.cameras
    assert difference(half, bent_run.folder) == ""
    assert (half / VERDICT_FILE).read_text() == (bent_run.folder / VERDICT_FILE).read_text()


def test_frames_are_predicted_along_the_rays_of_the_learned_lens(bent_run: Run) -> None:
    predictor = Predictor.load(bent_run.folder / "last", device="cpu")
    image = np.zeros((64, 64, 3), np.uint8)
    prediction = predictor.predict(image)
    assert prediction.depth_is == "ray" and prediction.camera == bent_run.cameras[0]


def test_a_distortion_is_learned_on_from_its_file(bent_run: Run, tiny: TrainConfig, tmp_path: Path) -> None:
    file = bent_run.folder / CAMERA_FILE
    run = train(replace(tiny, camera=f"learn+distortion:{file}", steps=1), tmp_path / "run")
    assert run.data.camera == bent_run.cameras[0]
    assert not run.data.store.rectified and run.cameras[0].lens != run.data.camera.lens
