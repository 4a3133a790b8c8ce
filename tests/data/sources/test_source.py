"""What every kind of data inherits: the hold-out rule, the measured spacing, frames to evaluate, poses and times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.images import write_images
from helpers.trajectories import drive as random_drive
from selfdepth.config import TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.data.motion import IDEAL_MOTION
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.structs import Trajectory

WriteVideo = Callable[..., Path]
Texture = Callable[..., list[ndarray]]
CAMERA = "fov:60"
IDEAL_PX = IDEAL_MOTION * 192


def frames_of(footage: Footage, part: str, steps: tuple[int, ...]) -> set[int]:
    return {ref.number + step for ref in footage.part(part) for step in (0, *steps)}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "drive", range(30))


def test_targets_come_from_the_hold_out_rule_at_the_requested_spacing(images: Path) -> None:
    footage = recognise(images).footage(camera=CAMERA, offsets=(-1, 1), spacing=2)
    assert frames_of(footage, "train", (-2, 2)) | frames_of(footage, "val", (-2, 2)) <= set(range(30))
    assert [ref.number for ref in footage.val] == [26, 27]
    assert footage.spacing == 2
    assert footage.test == ()


def test_the_origin_is_absolute_and_holds_the_options(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(images.parent)
    Path("camera.yaml").write_text("width: 40\nheight: 24\nfx: 30\nfy: 30\ncx: 19.5\ncy: 11.5\n")
    origin = recognise(Path("drive")).footage(camera="camera.yaml").origin
    assert origin is not None
    assert (origin.path, origin.split, origin.auto) == (images, None, False)
    assert origin.camera == str(images.parent / "camera.yaml")
    plain = recognise(images).footage(camera=CAMERA).origin
    assert plain is not None and plain.camera == CAMERA


def test_auto_takes_the_spacing_of_the_motion_and_drops_parked_stretches(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    drive = moving_texture(120, IDEAL_PX / 3)
    path = write_video(tmp_path / "drive.mp4", drive[:60] + 40 * [drive[60]] + drive[60:], fps=30)
    footage = recognise(path).footage(spacing=None, camera=CAMERA)
    targets = {ref.number for ref in (*footage.train, *footage.val)}
    assert footage.spacing == 3
    assert footage.origin is not None and footage.origin.auto
    assert not targets & set(range(66, 94))
    assert {3, 30, 55, 105, 156} <= targets | set(range(130, 160))
    assert not frames_of(footage, "train", (-3, 3)) & frames_of(footage, "val", (-3, 3))


def test_auto_refuses_a_camera_that_never_moves(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    path = write_video(tmp_path / "still.mp4", moving_texture(1, 0) * 41)
    with pytest.raises(DataError, match=r"stands still.*still\.mp4.*set --every by hand"):
        recognise(path).footage(spacing=None, camera=CAMERA)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"split": "eigen_zhou"},
            "a split applies to KITTI only: --split eigen_zhou; got .*of kind folder; leave --split",
        ),
        ({"stereo": True}, "no stereo pairs in this data.*leave --stereo out"),
        (
            {"spacing": 15},
            r"no frames to train on: .*drive; expected .* at \-15, \+15; got sequences of up to 30 frames",
        ),
    ],
)
def test_options_that_do_not_apply_are_refused(images: Path, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        recognise(images).footage(camera=CAMERA, **options)  # type: ignore[arg-type]


def test_the_papers_camera_for_data_other_than_kitti_causes_a_warning(images: Path) -> None:
    with pytest.warns(SelfDepthWarning, match="the paper's camera is KITTI's"):
        footage = recognise(images).footage(camera="paper")
    assert footage.sequences[0].camera == parse_camera("paper", width=40, height=24)


def test_without_a_camera_one_is_assumed_with_a_warning_and_prediction_needs_none(images: Path) -> None:
    source = recognise(images)
    with pytest.warns(SelfDepthWarning, match="60 degrees is ASSUMED"):
        source.footage()
    source.sequences_to_predict()
    assert source.camera_origin(None) == "assumed"
    assert source.camera_origin(CAMERA) == "given"


def test_a_run_gets_a_store_of_its_size_and_is_checked_before_anything_is_decoded(images: Path, tmp_path: Path) -> None:
    config = TrainConfig(width=64, height=64, camera=CAMERA, every="2")
    checked: list[tuple[TrainConfig, int]] = []
    store = recognise(images).store_for(config, tmp_path / "store", check=lambda *run: checked.append(run))
    assert (store.width, store.height, store.spacing) == (64, 64, 2)
    assert checked == [(config, len(store.train))]

    def refuse(config: TrainConfig, n_train: int) -> None:
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        recognise(images).store_for(replace(config, width=96), tmp_path / "other", check=refuse)
    assert not (tmp_path / "other").exists()


def test_all_frames_are_evaluated_in_their_order_at_the_networks_size(images: Path) -> None:
    source = recognise(images)
    selection = source.select(split=None, part=None, whole=False)
    assert (selection.part, len(selection.refs)) == ("all", 30)
    fit = CropResize(width=32, height=16, crop=Crop(top=4))
    refs = (selection.refs[7], selection.refs[3], selection.refs[4])
    read = list(source.read(selection, refs, fit))
    assert [image.shape for image in read] == [(16, 32, 3)] * 3
    assert [int(np.median(image)) for image in read] == [7, 3, 4]
    assert source.names(selection)[selection.refs[3]] == "000003"
    with pytest.raises(DataError, match="no test frames to evaluate"):
        source.select(split=None, part="test", whole=False)
    with pytest.raises(DataError, match="KITTI only"):
        source.select(split="eigen", part=None, whole=False)


def test_poses_lie_beside_the_images_and_times_are_the_numbers_if_nothing_better_is_known(images: Path) -> None:
    source = recognise(images)
    (sequence,) = source.sequences(CAMERA)
    assert source.poses(sequence) is None
    T_world_camera = random_drive(30)
    path = Trajectory(T_world_camera=T_world_camera, timestamps=np.arange(30.0))
    (images / "poses.txt").write_text(path.to_kitti())
    found = source.poses(sequence)
    assert found is not None
    np.testing.assert_allclose(found.T_world_camera, T_world_camera, atol=1e-6)
    assert found.timestamps.tolist() == list(range(30))
    np.testing.assert_allclose(
        source.times(replace(sequence, times_s=tuple(np.arange(30) ** 1.5))), np.arange(30) ** 1.5
    )


def test_plain_data_has_no_ground_truth_and_no_inventory(images: Path) -> None:
    source = recognise(images)
    assert source.describe_truth() is None
    assert source.improved_truth(None) is None
    assert source.truth(source.select(split=None, part=None, whole=True).refs[0]) is None
    with pytest.raises(DataError, match=r"this is not KITTI: .*drive; .*got data of kind folder"):
        source.inventory()
