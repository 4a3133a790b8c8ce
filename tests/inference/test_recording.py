"""Recordings for Rerun, read back with Rerun's own reader."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rerun")

from rerun.chunk import RrdReader

from helpers.models import tiny_config, write_model
from selfdepth.cli.main import main
from selfdepth.errors import DataError, DiskFullError, OutputError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.inference import recording
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.pointcloud import CloudLimits, FusedCloud, point_cloud
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.recording import About, create_recording, require_rerun
from selfdepth.inference.save import SaveOptions, save_predictions
from selfdepth.structs import DepthPrediction, MetricScale
from selfdepth.weights.files import load_weights
from selfdepth.weights.metres import write_copy

CAMERA = Camera(fx=50.0, fy=52.0, cx=47.0, cy=31.0, width=96, height=64)
ABOUT = About(
    name="street",
    unit="metric, in metres",
    metres_per_unit=1.0,
    path_metres_per_unit=1.0,
    depth_is="z",
    clouds=CloudLimits(max_depth=50.0, voxel=0.1),
)


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What each entity says, row by row; lists of one value as the value."""
    found: dict[str, list[dict[str, Any]]] = {}
    for chunk in RrdReader(path).stream().to_chunks():
        for row in chunk.to_record_batch().to_pylist():
            short = {name.rpartition(":")[2]: value for name, value in row.items() if value is not None}
            found.setdefault(chunk.entity_path, []).append(short)
    return found


def depths_of(found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows with depth, below which the camera is, too."""
    return [row for row in found["/world/camera/depth"] if "buffer" in row]


def frames(count: int, size: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 256, (size[1] // 8, size[0] // 8 + count, 3)), np.ones((8, 8, 1)))
    return [np.ascontiguousarray(texture[:, 2 * i : 2 * i + size[0]]).astype(np.uint8) for i in range(count)]


def source(count: int = 4, camera: Camera | None = CAMERA, **changes: Any) -> PredictionInput:
    values = {
        "name": "street",
        "names": tuple(f"{i:06d}" for i in range(count)),
        "read": lambda: iter(frames(count)),
        "first_size": (96, 64),
        "camera_for": lambda width, height: camera,
        "times_s": tuple(0.25 * i for i in range(count)),
    }
    return PredictionInput(**(values | changes))


def predicted(depth: float, camera: Camera | None = CAMERA) -> DepthPrediction:
    values = np.full((64, 96), depth, np.float32)
    return DepthPrediction(depth=values, disparity=1 / values, scale="metric", camera=camera)


def pose(z: float) -> np.ndarray:
    T_world_camera = np.eye(4)
    T_world_camera[2, 3] = z
    return T_world_camera


def depth_of(row: dict[str, Any]) -> np.ndarray:
    (data,) = row["buffer"]
    return np.frombuffer(bytes(data), np.float32).reshape(64, 96)


@pytest.fixture(scope="module")
def moving(moving_model: Path) -> tuple[Predictor, MotionPredictor]:
    weights = load_weights(moving_model)
    return Predictor(weights, device="cpu"), MotionPredictor(weights, device="cpu")


@pytest.fixture(scope="module")
def written(
    moving: tuple[Predictor, MotionPredictor], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    folder, (predictor, motion) = tmp_path_factory.mktemp("written"), moving
    kinds = ("rrd", "npz", "ply", "trajectory")
    save_predictions(predictor, source(), folder, SaveOptions(kinds=kinds), motion=motion)
    return folder, rows(folder / "recording.rrd")


def test_images_depth_camera_and_path_are_those_of_the_other_files(
    written: tuple[Path, dict[str, list[dict[str, Any]]]],
) -> None:
    folder, found = written
    depths = depths_of(found)
    assert len(depths) == 4
    for i, row in enumerate(depths):
        with np.load(folder / f"npz/{i:06d}.npz") as arrays:
            np.testing.assert_array_equal(depth_of(row), arrays["depth"])
    images = [row for row in found["/world/camera/image"] if "blob" in row]
    for row, frame in zip(images, frames(4), strict=True):
        (blob,) = row["blob"]
        with Image.open(io.BytesIO(bytes(blob))) as picture:
            assert np.abs(np.asarray(picture).astype(int) - frame).mean() < 12
    for place in ("image", "depth"):  # each its own, so that a viewer shows them beside each other
        (pinhole,) = [row for row in found[f"/world/camera/{place}"] if "image_from_camera" in row]
        np.testing.assert_allclose(np.reshape(pinhole["image_from_camera"], (3, 3)).T, CAMERA.matrix())
        assert pinhole["resolution"] == [[96, 64]]
    path = np.loadtxt(folder / "trajectory/tum.txt")
    np.testing.assert_allclose([row["translation"][0] for row in found["/world/camera"]], path[:, 1:4], rtol=1e-5)
    np.testing.assert_allclose([row["quaternion"][0] for row in found["/world/camera"]], path[:, 4:], atol=1e-6)
    np.testing.assert_allclose(found["/world/path"][0]["strips"][0], path[:, 1:4], rtol=1e-5)


def test_frames_have_their_numbers_and_times(written: tuple[Path, dict[str, list[dict[str, Any]]]]) -> None:
    depths = depths_of(written[1])
    assert [row["frame"] for row in depths] == [0, 1, 2, 3]
    assert [getattr(row["time"], "total_seconds", lambda: None)() for row in depths] == [0, 0.25, 0.5, 0.75]


def test_the_points_of_all_frames_are_the_fused_cloud(tmp_path: Path) -> None:
    fused, images = FusedCloud(0.1), frames(4)
    with create_recording(tmp_path / "r.rrd", ABOUT) as file:
        for i, image in enumerate(images):
            file.add(predicted(4.0 + i), image, i, None, pose(0.5 * i))
            fused.add(point_cloud(predicted(4.0 + i), image, 50.0), pose(0.5 * i))
    found = rows(tmp_path / "r.rrd")
    points = [row for entity in sorted(found) if entity.startswith("/world/points/") for row in found[entity]]
    assert [row["frame"] for row in points] == [0, 1, 2, 3], "they appear with their frames"
    np.testing.assert_array_equal(np.concatenate([row["positions"] for row in points]), fused.result().points)
    colours = np.concatenate([row["colors"] for row in points]).astype(np.uint32)
    np.testing.assert_array_equal(colours >> 24, fused.result().colours[:, 0])


@pytest.mark.parametrize(("start_s", "kind"), [(0.0, "duration"), (1.7e9, "timestamp"), (None, "none")])
def test_times_are_dates_durations_or_none(tmp_path: Path, start_s: float | None, kind: str) -> None:
    with create_recording(tmp_path / "r.rrd", ABOUT) as file:
        for i, image in enumerate(frames(2)):
            file.add(predicted(4.0), image, i, None if start_s is None else start_s + i, None)
    (chunk,) = [
        each for each in RrdReader(tmp_path / "r.rrd").stream().to_chunks() if each.entity_path[-5:] == "depth"
    ][:1]
    types = {field.name: str(field.type) for field in chunk.to_record_batch().schema}
    assert types.get("time", "none").split("[")[0] == kind


def test_what_is_metres_says_so_and_what_is_not_too(moving: tuple[Predictor, MotionPredictor], tmp_path: Path) -> None:
    save_predictions(moving[0], source(2), tmp_path, SaveOptions(kinds=("rrd",)))
    relative = rows(tmp_path / "recording.rrd")
    assert not any("meter" in row for row in relative["/world/camera/depth"])
    assert relative["/__properties"][0]["name"] == ["street"]
    said = {name: value for row in relative["/about"] for name, value in row.items()}
    assert said["is_metres"] == [False] and "not metres" in said["unit"][0] and "not metres" in said["text"][0]
    with create_recording(tmp_path / "metric.rrd", ABOUT) as file:
        file.add(predicted(4.0), frames(1)[0], 0, None, None)
    metric = rows(tmp_path / "metric.rrd")
    assert [row["meter"] for row in depths_of(metric)] == [[1.0]]
    assert next(row for row in metric["/about"] if "unit" in row)["unit"] == ["metric, in metres"]


def test_of_a_calibrated_model_depth_path_and_points_are_all_in_metres(
    written: tuple[Path, dict[str, list[dict[str, Any]]]], moving_model: Path, tmp_path: Path
) -> None:
    write_copy(tmp_path / "m", load_weights(moving_model), MetricScale(factor=7.0, spread=0.02, witness="height 1.6 m"))
    weights = load_weights(tmp_path / "m")
    predictor, motion = Predictor(weights, device="cpu"), MotionPredictor(weights, device="cpu")
    save_predictions(predictor, source(), tmp_path, SaveOptions(kinds=("rrd", "ply")), motion=motion)
    old, new = written[1], rows(tmp_path / "recording.rrd")
    for entity, name in (
        ("/world/camera", "translation"),
        ("/world/path", "strips"),
        ("/world/points/000003", "positions"),
    ):
        np.testing.assert_allclose(
            np.array(new[entity][0][name]), 7 * np.array(old[entity][0][name]), rtol=1e-2, atol=5e-3
        )
    np.testing.assert_allclose(depth_of(depths_of(new)[2]), 7 * depth_of(depths_of(old)[2]), rtol=1e-2)
    assert (tmp_path / "drive.ply").stat().st_size == pytest.approx((written[0] / "drive.ply").stat().st_size, rel=0.02)


def test_a_lens_has_points_of_its_own_and_no_pinhole(tmp_path: Path) -> None:
    lens = replace(CAMERA, lens=Lens("brown", (-0.1, 0.01, 0, 0)))
    with create_recording(tmp_path / "r.rrd", ABOUT) as file:
        file.add(predicted(4.0, lens), frames(1)[0], 0, None, None)
    found = rows(tmp_path / "r.rrd")
    assert {"/image", "/depth", "/world/camera/points"} <= set(found) and "/world/camera/image" not in found
    np.testing.assert_allclose(
        found["/world/camera/points"][0]["positions"], point_cloud(predicted(4.0, lens), frames(1)[0], 50.0).points
    )


def test_without_a_camera_there_are_pictures_alone(tmp_path: Path) -> None:
    with create_recording(tmp_path / "r.rrd", ABOUT) as file:
        file.add(predicted(4.0, None), frames(1)[0], 0, None, pose(0.0))
    assert {"/image", "/depth"} <= set(rows(tmp_path / "r.rrd"))


@pytest.mark.parametrize("failure", [DataError("the image cannot be read"), KeyboardInterrupt()])
def test_a_failure_on_the_way_leaves_no_recording_and_an_older_one_as_it_was(
    tmp_path: Path, failure: BaseException
) -> None:
    path = tmp_path / "r.rrd"
    for before in (None, b"older"):
        if before is not None:
            path.write_bytes(before)
        with pytest.raises(type(failure)), create_recording(path, ABOUT) as file:
            file.add(predicted(4.0), frames(1)[0], 0, None, None)
            raise failure
        assert [each.read_bytes() for each in tmp_path.iterdir()] == ([] if before is None else [before])


@pytest.mark.parametrize(
    ("said", "kind"),
    [("Failed to write: No space left on device (os error 28)", DiskFullError), ("... (os error 5)", OutputError)],
)
def test_a_disk_that_fails_ends_the_work_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[OutputError]
) -> None:
    class Broken:
        def write_rrd(self, *arguments: Any, **options: Any) -> None:
            raise RuntimeError(said)

    monkeypatch.setattr("rerun.chunk.LazyChunkStream.from_iter", lambda chunks: Broken())
    with pytest.raises(kind, match="cannot write"), create_recording(tmp_path / "r.rrd", ABOUT) as file:
        for i in range(100):
            file.add(predicted(4.0), frames(1)[0], i, None, None)
    assert not list(tmp_path.iterdir())


def test_a_recording_takes_no_more_memory_the_longer_it_is(tmp_path: Path) -> None:
    image, depth = np.zeros((400, 600, 3), np.uint8), np.full((400, 600), 4.0, np.float32)
    large = DepthPrediction(depth=depth, disparity=1 / depth, scale="metric", camera=None)
    with create_recording(tmp_path / "r.rrd", ABOUT) as file:
        file.add(large, image, 0, None, None)  # what is made once
        tracemalloc.start()
        try:
            for i in range(1, 40):
                file.add(large, image, i, None, None)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 16e6, "the depth images have 38 MB"


def test_the_command_writes_one_recording_for_each_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "model", tiny_config())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i, frame in enumerate(frames(3)):
            Image.fromarray(frame).save(tmp_path / name / f"{i:03d}.png")
    words = ["predict", str(model), str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")]
    assert main([*words, "--save", "rrd", "--camera", "fov:60", "--max-depth", "9"]) == 0
    assert sorted(each.relative_to(tmp_path).as_posix() for each in (tmp_path / "out").rglob("*.rrd")) == [
        "out/a/recording.rrd",
        "out/b/recording.rrd",
    ]
    assert main([*words, "--save", "rrd"]) == 0
    assert "a: its camera is not known" in capsys.readouterr().out
    monkeypatch.setattr(recording.importlib.util, "find_spec", lambda name: None)
    assert main([*words, "--save", "rrd"]) == 2
    assert "pip install 'selfdepth[view]'" in capsys.readouterr().err
    with pytest.raises(DataError):
        require_rerun()
