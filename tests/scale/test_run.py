"""Calibrate: from frames and witnesses to a factor in the model, or beside anybody's depth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import CheckpointError, ConfigError, DataError, OutputError
from selfdepth.evaluation.depth.run import evaluate_model
from selfdepth.inference.predictor import Predictor
from selfdepth.scale.run import WitnessRequest, calibrate_model, calibrate_predictions
from selfdepth.structs import MetricScale, Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.weights.files import load_weights
from selfdepth.weights.locate import CALIBRATION_FILES

FACTOR = 25.0
LIDAR = WitnessRequest(lidar=True, frames=4)


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=4, frames=48, width=128, height=64, stereo=True, moving_cars=False, stops=False))


@pytest.fixture(scope="module")
def data(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "street"
    write_drive(drive, folder, with_depth=True)
    return folder


@pytest.fixture(scope="module")
def kitti(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kitti")
    write_kitti_raw(drive, root, scan_every=10, image_format="png")
    return root


@pytest.fixture(scope="module")
def depths(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The true depth in another unit, of FACTOR metres."""
    file = tmp_path_factory.mktemp("depths") / "depth.npy"
    np.save(file, (np.where(drive.depth > 0, drive.depth, 500.0) / FACTOR).astype(np.float32))
    return file


@pytest.fixture(scope="module")
def path(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    T_world_camera = drive.T_world_camera.copy()
    T_world_camera[:, :3, 3] /= FACTOR
    file = tmp_path_factory.mktemp("path") / "tum.txt"
    file.write_text(Trajectory(T_world_camera=T_world_camera, timestamps=drive.timestamps).to_tum())
    return file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "run" / "best", tiny_config(), step=5).parent


def test_all_witnesses_of_true_depth_agree_on_its_unit(
    kitti: Path, depths: Path, path: Path, drive: SyntheticDrive, tmp_path: Path
) -> None:
    camera = drive.camera
    u, v = 60, 60
    ray = np.linalg.norm([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1])
    tape = tmp_path / "tape.csv"
    tape.write_text("".join(f"{n}, {u}, {v}, {drive.depth[n, v, u] * ray}\n" for n in range(0, 48, 8)))
    request = WitnessRequest(height_m=1.65, stereo=True, distance=tape, lidar=True, speed="oxts", frames=12)
    done = calibrate_predictions(depths, kitti, request, quantity="depth", trajectory=path, out=tmp_path / "out")
    assert done.scale.word == "metric" and done.scale.factor == pytest.approx(FACTOR, rel=0.02)
    found = {finding.testimony.witness: finding for finding in done.findings}
    assert found.keys() == {"speed", "height", "stereo", "distance", "lidar"}
    tolerances = {"height": 0.02, "stereo": 0.03, "distance": 0.01, "lidar": 0.02, "speed": 0.03}
    for witness, finding in found.items():
        assert finding.factor == pytest.approx(FACTOR, rel=tolerances[witness]), witness
    assert found["lidar"].testimony.left_out["without measured depth"] == 43
    assert len(found["height"].testimony.factors) + found["height"].left_out == 12
    values = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert values["factor"] == done.scale.factor and (tmp_path / "out" / "calibration.png").is_file()


def test_predictions_of_some_frames_are_enough_and_disparities_are_depths(
    data: Path, drive: SyntheticDrive, tmp_path: Path
) -> None:
    for number in (3, 30, 31, 45):
        depth = np.where(drive.depth[number] > 0, drive.depth[number], 500.0) / FACTOR
        np.savez(tmp_path / f"{number:06d}.npz", disparity=(1 / depth).astype(np.float32))
    done = calibrate_predictions(tmp_path, data, WitnessRequest(lidar=True, height_m=1.65))
    assert [len(finding.testimony.factors) for finding in done.findings] == [4, 4]
    assert done.scale.factor == pytest.approx(FACTOR, rel=0.01)


def test_the_factor_goes_into_the_model_and_its_depth_is_then_in_metres(model: Path, data: Path) -> None:
    counted: list[int] = []
    request = dataclasses.replace(LIDAR, frames=9)
    done = calibrate_model(str(model), data, request, device="cpu", advance=counted.append)
    assert sum(counted) == 9 and done.known is None
    weights = load_weights(model)
    assert weights.metric == done.scale and weights.step == 5
    numbers, plot = CALIBRATION_FILES
    assert json.loads((model / "best" / numbers).read_text())["factor"] == done.scale.factor
    assert (model / "best" / plot).is_file()
    evaluation = evaluate_model(str(model), data, device="cpu")
    assert evaluation.metric == done.scale and evaluation.report.factor == 1
    assert evaluation.report.ratio_median == pytest.approx(1, abs=0.1)
    assert evaluation.other is not None and not evaluation.other.median_scaling
    assert evaluation.to_json()["metric"] == done.scale.to_json()


def test_a_second_calibration_measures_the_network_again_and_not_its_metres(model: Path, data: Path) -> None:
    first = calibrate_model(str(model), data, LIDAR, device="cpu")
    second = calibrate_model(str(model), data, LIDAR, device="cpu")
    assert second.scale == first.scale and load_weights(model).metric == first.scale


def test_of_a_run_only_the_weights_that_were_measured_become_metric(model: Path, data: Path) -> None:
    write_model(model / "last", tiny_config(), step=9)
    calibrate_model(str(model), data, LIDAR, device="cpu")
    assert load_weights(model).metric is not None and load_weights(model / "last").metric is None


def test_nothing_is_written_where_nothing_was_asked_for(model: Path, data: Path) -> None:
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    calibrate_model(str(model), data, LIDAR, device="cpu", write=False)
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_a_copy_becomes_metric_and_the_model_stays(model: Path, data: Path, tmp_path: Path) -> None:
    done = calibrate_model(str(model), data, LIDAR, device="cpu", out=tmp_path / "copy")
    assert load_weights(model).metric is None and load_weights(tmp_path / "copy").metric == done.scale
    assert all((tmp_path / "copy" / name).is_file() for name in CALIBRATION_FILES)
    calibrate_model(str(model), data, LIDAR, device="cpu", out=tmp_path / "copy")  # again: the same model
    other = write_model(tmp_path / "other", tiny_config(), step=1)
    with pytest.raises(OutputError, match="the folder holds another model"):
        weights = load_weights(other)
        state = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in weights.state.items()}
        write_model(other, tiny_config(), state=state)
        calibrate_model(str(other), data, LIDAR, device="cpu", out=tmp_path / "copy")


def test_a_model_in_metres_by_its_training_stays_and_hears_how_far_the_witness_differs(
    data: Path, tmp_path: Path
) -> None:
    config = tiny_config(stereo="calibrated")
    model = write_model(tmp_path / "metric", config, scale="metric")
    before = (model / "config.json").read_bytes()
    done = calibrate_model(str(model), data, LIDAR, device="cpu")
    assert done.known == 1 and (model / "config.json").read_bytes() == before
    assert not (model / CALIBRATION_FILES[0]).exists()
    nominal = write_model(tmp_path / "nominal", tiny_config(stereo="nominal"))
    done = calibrate_model(str(nominal), data, LIDAR, device="cpu")
    assert done.known == 5.4 and load_weights(nominal).metric == done.scale
    assert Predictor.load(nominal, device="cpu").metres_per_unit == 1


def test_a_speed_log_needs_a_pose_network(data: Path, kitti: Path, tmp_path: Path) -> None:
    state = depth_only(untrained(tiny_config()).state_dict())
    model = write_model(tmp_path / "depth", tiny_config(), state=state)
    with pytest.raises(CheckpointError, match="no pose network"):
        calibrate_model(str(model), kitti, WitnessRequest(speed="oxts"), device="cpu")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (WitnessRequest(stereo=True), "no stereo pairs"),
        (WitnessRequest(lidar=True), "no measured depth"),
        (WitnessRequest(speed="oxts"), "times of the frames are not known"),
    ],
)
def test_a_witness_that_the_data_does_not_have_is_refused_and_nothing_written(
    model: Path, drive: SyntheticDrive, tmp_path: Path, request_: WitnessRequest, said: str
) -> None:
    write_drive(drive, tmp_path / "plain")
    before = (model / "best" / "config.json").read_bytes()
    with pytest.raises((DataError, ConfigError), match=said):
        calibrate_model(str(model), tmp_path / "plain", request_, device="cpu")
    assert (model / "best" / "config.json").read_bytes() == before


def test_depth_without_a_road_gives_no_height(data: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "wall.npy", np.ones((48, 64, 128), np.float32))
    with pytest.raises(DataError, match=r"the height gives no scale.*frames: no plane below the camera"):
        calibrate_predictions(tmp_path / "wall.npy", data, WitnessRequest(height_m=1.65))


def test_a_trajectory_belongs_to_one_sequence_and_has_a_pose_for_each_frame(
    data: Path, depths: Path, path: Path, drive: SyntheticDrive, tmp_path: Path
) -> None:
    request = WitnessRequest(height_m=1.65)
    short = tmp_path / "kitti.txt"
    short.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 3)
    np.save(tmp_path / "two.npy", np.concatenate([np.load(depths)[:5]] * 2))
    part = dataclasses.replace(drive, images=drive.images[:5], depth=drive.depth[:5])
    for name in ("a", "b"):
        write_drive(part, tmp_path / "data" / name)
    with pytest.raises(DataError, match="cannot be that of several sequences"):
        calibrate_predictions(tmp_path / "two.npy", tmp_path / "data", request, quantity="depth", trajectory=path)
    assert calibrate_predictions(depths, data, request, quantity="depth", trajectory=path).scale.factor == (
        pytest.approx(FACTOR, rel=0.01)
    )


def test_a_published_model_is_calibrated_as_a_copy_only(data: Path, tmp_path: Path, model: Path) -> None:
    from selfdepth.config import EncoderConfig
    from selfdepth.weights.published import Published, write_published

    encoder = EncoderConfig(name="resnet18", pretrained=False, pose_network="posecnn")
    own = load_weights(write_model(tmp_path / "own", tiny_config(encoder=encoder)))
    published = tmp_path / "published"
    write_published(published, Published(state=own.state, config=own.config, unused_entries={}))
    with pytest.raises(ConfigError, match=r"not written into a published model.*--out FOLDER"):
        calibrate_model(str(published), data, LIDAR, device="cpu")
    done = calibrate_model(str(published), data, LIDAR, device="cpu", out=tmp_path / "copy")
    copy = load_weights(tmp_path / "copy")
    assert copy.metric == done.scale == MetricScale.from_json(done.scale.to_json())
