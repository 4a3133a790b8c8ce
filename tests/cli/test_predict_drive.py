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
from selfdepth.data.readers.trajectories import read_trajectory
from selfdepth.geometry.camera import Camera
from selfdepth.inference.writers import create_video
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.weights.files import WeightsMeta, save_weights

CROP = "4,8,2,6"
"""Top, bottom, left, right of the frames' 80x40 pixels."""

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
    pairs), clips/ (looks at three frames together), cropped/ (trained on a part of each
    frame), frames/, names/ and street.mp4."""
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
        ("cropped", state, replace(config, crop=CROP)),
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
    points = [(tmp_path / name / "drive.ply").read_bytes().split(b"end_header\n")[1] for name in ("nominal", "model")]
    assert points[0] == points[1]


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
        (("model", "frames", "--every", "2"), "--every applies only to the path of the camera"),
        (("model", "frames", "--save", "trajectory", "--voxel", "1"), "--voxel applies only to point clouds"),
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


def test_frames_are_cropped_as_the_model_was_trained(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for path in sorted((world / "frames").iterdir()):
        Image.open(path).crop((2, 4, 80 - 6, 40 - 8)).save(parts / path.name)
    save = ["--save", "npz", "trajectory", "--device", "cpu"]
    assert main(["predict", str(world / "cropped"), str(world / "frames"), "--out", str(tmp_path / "a"), *save]) == 0
    assert f"frames are cropped by {CROP} (top, bottom, left, right)" in capsys.readouterr().out
    assert main(["predict", str(world / "model"), str(parts), "--out", str(tmp_path / "b"), *save]) == 0
    for name in ("0", "4"):
        whole, part = (np.load(tmp_path / out / f"npz/{name}.npz") for out in "ab")
        assert whole["depth"].shape == (28, 72)
        np.testing.assert_allclose(whole["depth"], part["depth"], rtol=1e-5)
        np.testing.assert_allclose(whole["K"], [[60, 0, 37.5], [0, 60, 15.5], [0, 0, 1]])
    paths = [(tmp_path / out / "trajectory/kitti.txt").read_text() for out in "ab"]
    assert paths[0] == paths[1]


def test_frames_of_another_size_than_at_training_are_not_cropped_and_that_is_said(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.open(world / "frames/0.png").resize((160, 80)).save(tmp_path / "large.png")
    words = ["predict", str(world / "cropped"), str(tmp_path / "large.png"), "--out", str(tmp_path / "out")]
    assert main([*words, "--save", "npz", "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert f"trained on frames without {CROP}" in said.err
    assert "are taken whole" in said.err
    assert "cropped" not in said.out
    assert np.load(tmp_path / "out/npz/large.npz")["depth"].shape == (80, 160)


def test_a_camera_is_not_followed_over_missing_frames(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = tmp_path / "gap"
    gap.mkdir()
    for stem, number in zip("01234", (0, 1, 2, 10, 11), strict=True):
        (gap / f"f{number:03d}.png").write_bytes((world / f"frames/{stem}.png").read_bytes())
    words = ["predict", str(world / "model"), str(gap), "--device", "cpu", "--out", str(tmp_path / "out"), "--save"]
    assert main([*words, "trajectory"]) == 2
    assert "a jump from 2 to 10, one of 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "ply"]) == 0  # the points of each frame do not need it
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.ply")}
    assert "drive.ply" not in written
    assert len(written) == 5


def test_points_of_a_nominal_model_say_the_known_factor(world: Path, tmp_path: Path) -> None:
    words = ["predict", str(world / "nominal"), str(world / "frames"), "--device", "cpu", "--out", str(tmp_path)]
    assert main([*words, "--save", "ply"]) == 0
    for path in (tmp_path / "drive.ply", tmp_path / "ply/0.ply"):
        assert b"comment unit: relative: times 5.4 it is in metres" in path.read_bytes()


def test_a_spacing_without_a_camera_to_follow_is_refused(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(world / "still"), str(world / "frames"), "--out", str(tmp_path / "out"), "--save", "ply"]
    assert main([*words, "--every", "3"]) == 2
    assert "no camera path can be computed here: --every" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
