"""Prediction along many frames: every file that is promised, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.save import SaveOptions, check_points, output_paths, save_predictions
from selfdepth.weights.files import load_weights


def _frames(count: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    return [np.full((height, width, 3), 40 * number, np.uint8) for number in range(count)]


def _source(frames: list[np.ndarray], **changes: object) -> PredictionInput:
    names = tuple(f"{number:06d}" for number in range(len(frames)))
    return PredictionInput(
        **{"name": "drive", "names": names, "read": lambda: iter(frames), "first_size": (60, 40), **changes}
    )  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return Predictor.load(model, device="cpu", precision="fp32")


def test_every_kind_is_written_for_every_frame_in_order(predictor: Predictor, tmp_path: Path) -> None:
    source, seen = _source(_frames(5)), []
    kinds = ("color", "npz", "png16", "mp4")
    assert (
        save_predictions(predictor, source, tmp_path, SaveOptions(kinds=kinds, batch_size=2), advance=seen.append) == 5
    )
    assert seen == [1] * 5
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    promised = {path.relative_to(tmp_path) for path in output_paths(source, tmp_path, kinds)}
    assert written == promised | {Path("png16/README.txt")} and len(promised) == 16
    for number, frame in enumerate(_frames(5)):
        with np.load(tmp_path / f"npz/{number:06d}.npz") as arrays:
            np.testing.assert_allclose(arrays["depth"], predictor.predict(frame).depth, rtol=1e-4)
    with av.open(str(tmp_path / "video.mp4")) as container:
        films = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [film.shape for film in films] == [(80, 60, 3)] * 5
    np.testing.assert_allclose([film[:38].mean() for film in films], [40 * number for number in range(5)], atol=5)


def test_the_camera_of_the_source_goes_into_the_files(predictor: Predictor, tmp_path: Path) -> None:
    source = _source(_frames(1), camera_for=lambda width, height: Camera.from_fov(90.0, width=width, height=height))
    save_predictions(predictor, source, tmp_path, SaveOptions(kinds=("npz",)))
    with np.load(tmp_path / "npz/000000.npz") as arrays:
        np.testing.assert_allclose(arrays["K"], [[30, 0, 29.5], [0, 30, 19.5], [0, 0, 1]])


@pytest.mark.parametrize("failure", [DataError("the image cannot be read", where="3.jpg"), KeyboardInterrupt()])
def test_a_failure_on_the_way_leaves_whole_files_only(
    predictor: Predictor, tmp_path: Path, failure: BaseException
) -> None:
    def read() -> Iterator[np.ndarray]:
        yield from _frames(3)
        raise failure

    source = _source(_frames(6), read=read)
    with pytest.raises(type(failure)):
        save_predictions(predictor, source, tmp_path, SaveOptions(kinds=("color", "npz", "mp4"), batch_size=1))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {f"{kind}" for n in range(3) for kind in (f"color/{n:06d}.png", f"npz/{n:06d}.npz")}
    for path in tmp_path.rglob("*.npz"):
        with np.load(path) as arrays:
            assert arrays["depth"].shape == (40, 60)


def test_what_a_source_is_saved_as_decides_whether_the_camera_is_followed() -> None:
    drive = _source(_frames(3))
    assert SaveOptions(kinds=("trajectory",)).follows_camera(drive)
    assert SaveOptions(kinds=("ply",)).follows_camera(drive)
    assert not SaveOptions(kinds=("color", "npz")).follows_camera(drive)
    for apart in (_source(_frames(3), continuous=False), _source(_frames(3), gaps=((1, 5),))):
        assert not SaveOptions(kinds=("ply",)).follows_camera(apart), "clouds of frames apart are not fused"


def test_along_a_drive_points_and_poses_are_written_too(moving_model: Path, tmp_path: Path) -> None:
    weights = load_weights(moving_model)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (64, 96, 3)).astype(np.uint8) for _ in range(4)]
    source = _source(
        frames, camera_for=lambda w, h: Camera.from_fov(60.0, width=w, height=h), times_s=(0.0, 0.1, 0.2, 0.3)
    )
    kinds = ("ply", "trajectory")
    motion = MotionPredictor(weights, device="cpu")
    predictor = Predictor(weights, device="cpu")
    save_predictions(predictor, source, tmp_path, SaveOptions(kinds=kinds, batch_size=3), motion=motion)
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {*output_paths(source, tmp_path, kinds), tmp_path / "trajectory/README.txt"}
    times = [float(line.split()[0]) for line in (tmp_path / "trajectory/tum.txt").read_text().splitlines()]
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_points_of_frames_whose_camera_is_not_known_are_refused_before_the_work(predictor: Predictor) -> None:
    unknown = _source(_frames(1), first_size=(50, 50))
    with pytest.raises(DataError, match="50x50"):
        check_points(predictor, unknown)
    check_points(predictor, _source(_frames(1), first_size=(96, 64)))
    check_points(predictor, _source(_frames(1), camera_for=lambda w, h: Camera.from_fov(60.0, width=w, height=h)))
