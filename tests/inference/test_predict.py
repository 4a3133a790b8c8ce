"""Prediction of many inputs with one model: what is written where, and what is refused before anything is written."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.models import TINY, depth_only, tiny_config, untrained, write_model
from selfdepth.data.readers.trajectories import read_trajectory
from selfdepth.errors import CheckpointError, ConfigError, DataError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import open_inputs
from selfdepth.inference.pointcloud import CloudLimits
from selfdepth.inference.predict import Predicted, predict_inputs
from selfdepth.inference.save import SaveOptions
from selfdepth.inference.writers import create_video

CROP = "4,8,2,6"
"""Top, bottom, left, right of the frames' 80x40 pixels."""

POSE_FILES = ("trajectory/README.txt", "trajectory/kitti.txt", "trajectory/tum.txt")
LIMITS = CloudLimits(max_depth=50.0, voxel=0.5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models with random weights, and inputs of five 80x40 frames.

    model/; depth-only/ (no pose network); auto/ (spacing unknown); nominal/ (learned from stereo pairs at the nominal
    baseline); clips/ (its pose network sees three frames); cropped/; frames/ (numbered), stills/ (not), street.mp4.
    """
    folder = tmp_path_factory.mktemp("world")
    config = tiny_config(every="2")
    state = untrained(config).state_dict()
    clips = tiny_config(encoder=replace(TINY, pose_input="all"))
    camera = Camera(fx=60.0, fy=60.0, cx=39.5, cy=19.5, width=80, height=40)
    for name, settings, weights in (
        ("model", config, state),
        ("depth-only", config, depth_only(state)),
        ("auto", replace(config, every="auto"), state),
        ("nominal", replace(config, stereo="nominal"), state),
        ("clips", clips, None),
        ("cropped", replace(config, crop=CROP), state),
    ):
        write_model(folder / name, settings, state=weights, camera=camera)
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (40, 80, 3)).astype(np.uint8)) for _ in range(5)]
    for name, stems in (("frames", "01234"), ("stills", "abcde")):
        (folder / name).mkdir()
        for stem, image in zip(stems, images, strict=True):
            image.save(folder / name / f"{stem}.png")
    with create_video(folder / "street.mp4", Fraction(20)) as video:
        for image in images:
            video.write(np.asarray(image))
    return folder


def run(model: Path, *inputs: Path, out: Path, kinds: tuple[str, ...], **options: Any) -> Predicted:
    camera, say = options.pop("camera", None), options.pop("say", lambda sentence: None)
    opened = open_inputs(tuple(map(str, inputs)), camera=camera)
    chosen = SaveOptions(**{"kinds": kinds, "batch_size": 2, **options})
    return predict_inputs(str(model), opened, out, chosen, device="cpu", say=say)


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_returns_the_number_of_frames_and_the_folder_of_each_input(world: Path, tmp_path: Path) -> None:
    progress: list[int] = []
    inputs = open_inputs((str(world / "frames"), str(world / "street.mp4")), camera=None)
    options = SaveOptions(kinds=("mp4",), batch_size=3)
    done = predict_inputs(str(world / "model"), inputs, tmp_path, options, device="cpu", advance=progress.append)
    assert (done.count, sum(progress)) == (10, 10)
    assert done.folders == (tmp_path / "frames", tmp_path / "street")
    assert written(tmp_path) == ["frames/video.mp4", "street/video.mp4"]


def test_inputs_share_a_folder_unless_their_names_collide(world: Path, tmp_path: Path) -> None:
    assert run(world / "model", world / "frames", world / "stills", out=tmp_path / "a", kinds=("npz",)).folders == (
        tmp_path / "a",
        tmp_path / "a",
    )
    run(world / "model", world / "frames", world / "frames", out=tmp_path / "b", kinds=("npz",))
    assert {path.split("/")[0] for path in written(tmp_path / "b")} == {"frames", "frames-2"}


def test_a_result_never_overwrites_an_input(world: Path, tmp_path: Path) -> None:
    (tmp_path / "color").mkdir()
    image = tmp_path / "color/0.png"
    image.write_bytes((world / "frames/0.png").read_bytes())
    with pytest.raises(OutputError, match="would replace an input"):
        run(world / "model", image, out=tmp_path, kinds=("color",))
    assert image.read_bytes() == (world / "frames/0.png").read_bytes()


def test_prediction_without_a_given_camera_warns_of_nothing(
    world: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    run(world / "model", world / "frames", world / "street.mp4", out=tmp_path, kinds=("color",))
    assert [str(warning.message) for warning in recwarn if issubclass(warning.category, SelfDepthWarning)] == []


def test_a_folder_gives_poses_at_the_models_spacing(world: Path, tmp_path: Path) -> None:
    run(world / "model", world / "frames", out=tmp_path, kinds=("trajectory",))
    assert written(tmp_path) == list(POSE_FILES)
    kitti, tum = (read_trajectory(tmp_path / f"trajectory/{name}.txt") for name in ("kitti", "tum"))
    np.testing.assert_array_equal(kitti.T_world_camera[0], np.eye(4))
    assert tum.timestamps.tolist() == [0, 2, 4]
    np.testing.assert_allclose(kitti.T_world_camera, tum.T_world_camera, atol=1e-9)
    note = (tmp_path / "trajectory/README.txt").read_text()
    assert "relative" in note and "positions of the frames" in note


def test_a_video_gives_poses_at_its_times_and_at_a_given_spacing(world: Path, tmp_path: Path) -> None:
    run(world / "auto", world / "street.mp4", out=tmp_path, kinds=("trajectory",), spacing=1)
    trajectory = read_trajectory(tmp_path / "trajectory/tum.txt")
    np.testing.assert_allclose(trajectory.timestamps, [0, 0.05, 0.1, 0.15, 0.2])
    assert "Timestamps: seconds" in (tmp_path / "trajectory/README.txt").read_text()


def test_with_a_known_scale_the_trajectory_is_in_metres_and_points_stay_in_the_unit_of_the_depth(
    world: Path, tmp_path: Path
) -> None:
    for name in ("model", "nominal"):
        run(world / name, world / "frames", out=tmp_path / name, kinds=("trajectory", "ply"), clouds=LIMITS)
    relative, metres = (read_trajectory(tmp_path / name / "trajectory/kitti.txt") for name in ("model", "nominal"))
    positions = metres.T_world_camera[:, :3, 3]
    assert np.abs(positions[1:]).max() > 0
    np.testing.assert_allclose(positions, 5.4 * relative.T_world_camera[:, :3, 3], rtol=1e-6, atol=1e-9)
    assert "Unit of length: metres" in (tmp_path / "nominal/trajectory/README.txt").read_text()
    points = [(tmp_path / name / "drive.ply").read_bytes().split(b"end_header\n")[1] for name in ("nominal", "model")]
    assert points[0] == points[1]
    for path in (tmp_path / "nominal/drive.ply", tmp_path / "nominal/ply/0.ply"):
        assert b"comment unit: relative: times 5.4 it is in metres" in path.read_bytes()


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_a_pose_network_of_three_frames_gives_every_frame_once_with_its_pose(
    world: Path, tmp_path: Path, batch_size: int
) -> None:
    run(world / "clips", world / "frames", out=tmp_path, kinds=("trajectory", "npz"), batch_size=batch_size)
    assert written(tmp_path) == [*(f"npz/{i}.npz" for i in range(5)), *POSE_FILES]
    assert read_trajectory(tmp_path / "trajectory/tum.txt").timestamps.tolist() == [0, 1, 2, 3, 4]


def test_points_are_written_for_each_frame_and_fused_along_the_path(world: Path, tmp_path: Path) -> None:
    run(world / "model", world / "frames", out=tmp_path, kinds=("ply", "color"), clouds=LIMITS)
    assert [name for name in written(tmp_path) if "ply" in name] == ["drive.ply"] + [f"ply/{i}.ply" for i in range(5)]
    header = (tmp_path / "drive.ply").read_bytes()[:400]
    assert b"comment unit: relative" in header and b"frame: the first camera" in header
    assert b"element vertex 3200\n" in (tmp_path / "ply/0.ply").read_bytes()


def test_without_a_pose_network_points_are_written_frame_by_frame(world: Path, tmp_path: Path) -> None:
    run(world / "depth-only", world / "frames", out=tmp_path, kinds=("ply",))
    assert written(tmp_path) == [f"ply/{i}.ply" for i in range(5)]


def test_each_of_several_inputs_has_its_trajectory(world: Path, tmp_path: Path) -> None:
    run(world / "model", world / "frames", world / "street.mp4", out=tmp_path, kinds=("trajectory",))
    assert written(tmp_path) == [f"{name}/{part}" for name in ("frames", "street") for part in POSE_FILES]


REFUSED: list[tuple[str, str, dict[str, Any], type[SelfDepthError], str]] = [
    ("depth-only", "frames", {}, CheckpointError, "the model has no pose network"),
    ("auto", "frames", {}, ConfigError, "spacing of the model is unknown.*--every N"),
    ("model", "stills", {}, DataError, r"need not follow each other in time: .*stills/a\.png"),
    ("model", "frames/0.png", {}, DataError, "need not follow each other in time"),
    ("model", "frames", {"spacing": 0}, ConfigError, "out of range: --every"),
    ("clips", "frames", {"spacing": 3}, DataError, "too short for a motion: frames; expected more than 6 frames"),
    ("depth-only", "frames", {"kinds": ("ply",), "spacing": 3}, ConfigError, "no camera path can be computed.*--every"),
]


@pytest.mark.parametrize(("model", "name", "options", "kind", "sentence"), REFUSED)
def test_a_path_that_cannot_be_followed_is_refused_before_anything_is_written(
    world: Path, tmp_path: Path, model: str, name: str, options: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as refusal:
        run(world / model, world / name, out=tmp_path / "out", **{"kinds": ("trajectory",), **options})
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_a_camera_is_not_followed_across_missing_frames(world: Path, tmp_path: Path) -> None:
    gap = tmp_path / "gap"
    gap.mkdir()
    for stem, number in zip("01234", (0, 1, 2, 10, 11), strict=True):
        (gap / f"f{number:03d}.png").write_bytes((world / f"frames/{stem}.png").read_bytes())
    with pytest.raises(DataError, match="a jump from 2 to 10, one of 1"):
        run(world / "model", gap, out=tmp_path / "out", kinds=("trajectory",))
    assert not (tmp_path / "out").exists()
    run(world / "model", gap, out=tmp_path / "out", kinds=("ply",))
    assert len(written(tmp_path / "out")) == 5, "points of each frame, and none of the whole drive"


def test_a_camera_is_not_followed_across_a_hole_in_the_time_of_a_video(world: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (12, 40, 80, 3)).astype(np.uint8)
    with create_video(tmp_path / "paused.mp4", Fraction(20)) as video:
        for i, image in enumerate(pixels):
            video.write(image, i / 20 if i < 6 else 3 + i / 20)
    with pytest.raises(DataError, match=r"the frames have gaps.*paused\.mp4;.* a jump from 5 to 66, one of 1"):
        run(world / "model", tmp_path / "paused.mp4", out=tmp_path / "out", kinds=("trajectory",))
    run(world / "model", tmp_path / "paused.mp4", out=tmp_path / "out", kinds=("npz",))
    assert written(tmp_path / "out") == [f"npz/{i:06d}.npz" for i in range(12)]


def test_points_of_frames_that_no_camera_fits_are_refused(world: Path, tmp_path: Path) -> None:
    tall = tmp_path / "tall.png"
    Image.new("RGB", (50, 70)).save(tall)
    with pytest.raises(DataError, match="give --camera"):
        run(world / "model", tall, out=tmp_path / "out", kinds=("ply",))
    assert not (tmp_path / "out").exists()
    run(world / "model", tall, out=tmp_path / "out", kinds=("ply",), camera="fov:70")
    assert written(tmp_path / "out") == ["ply/tall.ply"]


def test_frames_are_cropped_as_at_training(world: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for path in sorted((world / "frames").iterdir()):
        Image.open(path).crop((2, 4, 80 - 6, 40 - 8)).save(parts / path.name)
    told: list[str] = []
    run(world / "cropped", world / "frames", out=tmp_path / "a", kinds=("npz", "trajectory"), say=told.append)
    run(world / "model", parts, out=tmp_path / "b", kinds=("npz", "trajectory"), say=told.append)
    assert told == [f"frames are cropped by {CROP} (top, bottom, left, right), as at training"]
    for name in ("0", "4"):
        whole, part = (np.load(tmp_path / out / f"npz/{name}.npz") for out in "ab")
        assert whole["depth"].shape == (28, 72)
        np.testing.assert_allclose(whole["depth"], part["depth"], rtol=1e-5)
        np.testing.assert_allclose(whole["K"], [[60, 0, 37.5], [0, 60, 15.5], [0, 0, 1]])
    paths = [(tmp_path / out / "trajectory/kitti.txt").read_text() for out in "ab"]
    assert paths[0] == paths[1]


def test_frames_of_another_size_than_at_training_are_not_cropped_and_a_warning_says_so(
    world: Path, tmp_path: Path
) -> None:
    Image.open(world / "frames/0.png").resize((160, 80)).save(tmp_path / "large.png")
    told: list[str] = []
    with pytest.warns(SelfDepthWarning, match=rf"trained on frames cropped by {CROP} .* of images are not cropped"):
        run(world / "cropped", tmp_path / "large.png", out=tmp_path / "out", kinds=("npz",), say=told.append)
    assert told == []
    assert np.load(tmp_path / "out/npz/large.npz")["depth"].shape == (80, 160)
