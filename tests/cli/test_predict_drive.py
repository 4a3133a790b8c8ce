"""`selfdepth predict --save trajectory ply`: what is written of a whole drive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.trajectories import read_trajectory
from selfdepth.geometry.camera import Camera
from selfdepth.inference.weights import WeightsMeta, save_weights
from selfdepth.inference.writers import create_video
from selfdepth.learner import SelfSupervisedDepth

POSE_PARTS = ("trajectory/README.txt", "trajectory/kitti.txt", "trajectory/tum.txt")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/, still/ (without a pose network), auto/ (its spacing not known), nominal/ (the model, said to be of stereo
    pairs), clips/ (looks at three frames together), frames/, names/ and street.mp4."""
    folder = tmp_path_factory.mktemp("world")
    torch.manual_seed(0)
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = TrainConfig(width=96, height=64, every="2", encoder=encoder)
    state = SelfSupervisedDepth(config).state_dict()
    camera = Camera(fx=60.0, fy=60.0, cx=39.5, cy=19.5, width=80, height=40)
    still = {name: tensor for name, tensor in state.items() if name.startswith("depth_net")}
    auto = TrainConfig(width=96, height=64, every="auto", encoder=encoder)
    nominal = replace(config, stereo="nominal")
    clips = TrainConfig(width=96, height=64, encoder=replace(encoder, pose_input="all"))
    for name, weights, settings in (
        ("model", state, config),
        ("still", still, config),
        ("auto", state, auto),
        ("nominal", state, nominal),
        ("clips", SelfSupervisedDepth(clips).state_dict(), clips),
    ):
        save_weights(folder / name, weights, WeightsMeta(config=settings, camera=camera, scale="relative"))
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (40, 80, 3)).astype(np.uint8)) for _ in range(5)]
    for name, stems in (("frames", "01234"), ("names", "abcde")):
        (folder / name).mkdir()
        for stem, image in zip(stems, images, strict=True):
            image.save(folder / name / f"{stem}.png")
    with create_video(folder / "street.mp4", Fraction(20)) as video:
        for image in images:
            video.write(np.asarray(image))
    return folder


def run(world: Path, *words: str) -> int:
    arguments = [str(world / word) if (world / word).exists() else word for word in words]
    return main(["predict", *arguments, "--device", "cpu", "--batch-size", "2"])


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_gives_poses_at_the_models_spacing(world: Path, tmp_path: Path) -> None:
    assert run(world, "model", "frames", "--out", str(tmp_path), "--save", "trajectory") == 0
    assert written(tmp_path) == list(POSE_PARTS)
    kitti, tum = (read_trajectory(tmp_path / f"trajectory/{name}.txt") for name in ("kitti", "tum"))
    np.testing.assert_array_equal(kitti.T_world_camera[0], np.eye(4))
    assert tum.timestamps.tolist() == [0, 2, 4]
    np.testing.assert_allclose(kitti.T_world_camera, tum.T_world_camera, atol=1e-9)
    note = (tmp_path / "trajectory/README.txt").read_text()
    assert "relative" in note and "positions of the frames" in note


def test_a_video_gives_poses_at_its_times_and_another_spacing_can_be_asked_for(world: Path, tmp_path: Path) -> None:
    assert run(world, "auto", "street.mp4", "--out", str(tmp_path), "--save", "trajectory", "--every", "1") == 0
    found = read_trajectory(tmp_path / "trajectory/tum.txt")
    np.testing.assert_allclose(found.timestamps, [0, 0.05, 0.1, 0.15, 0.2])
    assert "Timestamps: seconds" in (tmp_path / "trajectory/README.txt").read_text()


def test_where_metres_are_known_the_trajectory_is_in_metres_and_points_stay_in_the_unit_of_the_depth(
    world: Path, tmp_path: Path
) -> None:
    for name in ("model", "nominal"):
        words = ("--out", str(tmp_path / name), "--save", "trajectory", "ply", "--max-depth", "50", "--voxel", "0.5")
        assert run(world, name, "frames", *words) == 0
    relative, metres = (read_trajectory(tmp_path / name / "trajectory/kitti.txt") for name in ("model", "nominal"))
    positions = metres.T_world_camera[:, :3, 3]
    assert np.abs(positions[1:]).max() > 0
    np.testing.assert_allclose(positions, 5.4 * relative.T_world_camera[:, :3, 3], rtol=1e-6, atol=1e-9)
    assert "Unit of length: metres" in (tmp_path / "nominal/trajectory/README.txt").read_text()
    assert (tmp_path / "nominal/drive.ply").read_bytes() == (tmp_path / "model/drive.ply").read_bytes()


@pytest.mark.parametrize("batch_size", ["1", "2", "8"])
def test_a_model_that_looks_at_three_frames_together_gives_every_frame_once_with_its_pose(
    world: Path, tmp_path: Path, batch_size: str
) -> None:
    words = ("--out", str(tmp_path), "--save", "trajectory", "npz", "--batch-size", batch_size)
    assert main(["predict", str(world / "clips"), str(world / "frames"), "--device", "cpu", *words]) == 0
    assert written(tmp_path) == [*(f"npz/{i}.npz" for i in range(5)), *POSE_PARTS]
    assert read_trajectory(tmp_path / "trajectory/tum.txt").timestamps.tolist() == [0, 1, 2, 3, 4]


def test_points_are_written_for_each_frame_and_fused_for_the_drive(world: Path, tmp_path: Path) -> None:
    words = ("--save", "ply", "color", "--max-depth", "50", "--voxel", "0.5")
    assert run(world, "model", "frames", "--out", str(tmp_path), *words) == 0
    assert [name for name in written(tmp_path) if "ply" in name] == ["drive.ply"] + [f"ply/{i}.ply" for i in range(5)]
    header = (tmp_path / "drive.ply").read_bytes()[:400]
    assert b"comment unit: relative" in header and b"frame: the first camera" in header
    assert b"element vertex 3200\n" in (tmp_path / "ply/0.ply").read_bytes()


def test_without_a_pose_network_there_are_points_frame_by_frame(world: Path, tmp_path: Path) -> None:
    assert run(world, "still", "frames", "--out", str(tmp_path), "--save", "ply") == 0
    assert written(tmp_path) == [f"ply/{i}.ply" for i in range(5)]


def test_several_inputs_have_a_trajectory_each(world: Path, tmp_path: Path) -> None:
    assert run(world, "model", "frames", "street.mp4", "--out", str(tmp_path), "--save", "trajectory") == 0
    assert written(tmp_path) == [f"{name}/{part}" for name in ("frames", "street") for part in POSE_PARTS]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("still", "frames", "--save", "trajectory"), "the model has no pose network"),
        (("auto", "frames", "--save", "trajectory"), "--every N"),
        (("model", "names", "--save", "trajectory"), "not known to follow each other in time"),
        (("model", "frames/0.png", "--save", "trajectory"), "not known to follow each other in time"),
        (("model", "frames", "--save", "trajectory", "--every", "0"), "--every"),
        (("clips", "frames", "--save", "trajectory", "--every", "3"), "too short for a motion: frames; expected"),
        (("model", "frames", "--every", "2"), "--every is about the camera's path"),
        (("model", "frames", "--save", "trajectory", "--voxel", "1"), "--voxel is about point clouds"),
        (("model", "frames", "--save", "ply", "--max-depth", "-1"), "--max-depth"),
        (("model", "frames", "--save", "ply", "--voxel", "nan"), "--voxel"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert run(world, *words, "--out", str(tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_points_of_frames_that_no_camera_fits_are_refused(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (50, 70)).save(tmp_path / "tall.png")
    assert run(world, "model", str(tmp_path / "tall.png"), "--out", str(tmp_path / "out"), "--save", "ply") == 2
    assert "give --camera" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    words = ("--save", "ply", "--camera", "fov:70")
    assert run(world, "model", str(tmp_path / "tall.png"), "--out", str(tmp_path / "out"), *words) == 0
    assert written(tmp_path / "out") == ["ply/tall.ply"]
