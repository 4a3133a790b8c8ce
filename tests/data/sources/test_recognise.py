"""What footage is recognised as, and which frames are for what."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.footage import Footage
from selfdepth.data.frames import find_gaps
from selfdepth.data.inspect import inspect_source
from selfdepth.data.motion import IDEAL_MOTION
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError, SelfDepthWarning

WriteVideo = Callable[..., Path]
Texture = Callable[..., list[ndarray]]
CAMERA = "fov:60"
IDEAL_PX = IDEAL_MOTION * 192


def _images(folder: Path, numbers: range | list[int], *, width: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(np.full((24, width, 3), number % 256, np.uint8)).save(folder / f"{number:06d}.png")
    return folder


def _frames(footage: Footage, part: str, steps: tuple[int, ...]) -> set[tuple[str, int]]:
    return {(ref.sequence, ref.number + step) for ref in getattr(footage, part) for step in (0, *steps)}


def test_a_folder_of_images_is_recognised(tmp_path: Path) -> None:
    footage = recognise(_images(tmp_path / "drive", range(10))).footage(camera=CAMERA)
    assert footage.kind == "folder"
    assert [ref.number for ref in footage.train] == list(range(1, 9))
    assert footage.val == footage.test == ()
    assert footage.sequence("drive").camera.width == 40


def test_a_folder_of_folders_is_one_sequence_each(tmp_path: Path) -> None:
    _images(tmp_path / "monday" / "front", range(5))
    _images(tmp_path / "tuesday", range(7))
    footage = recognise(tmp_path).footage(camera=CAMERA)
    assert [sequence.name for sequence in footage.sequences] == ["monday/front", "tuesday"]
    assert len(footage.train) == 3 + 5


def test_a_folder_with_an_image_or_two_beside_drives_is_left_out_and_said(tmp_path: Path) -> None:
    _images(tmp_path / "drive", range(5))
    _images(tmp_path / "stills", range(2))
    with pytest.warns(SelfDepthWarning, match="left out.*stills"):
        footage = recognise(tmp_path).footage(camera=CAMERA)
    assert [sequence.name for sequence in footage.sequences] == ["drive"]


def test_videos_are_recognised_alone_and_in_a_folder(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    for name in ("b.mp4", "a.mkv"):
        write_video(tmp_path / name, moving_texture(6, 1))
    alone, both = (recognise(path).footage(camera=CAMERA) for path in (tmp_path / "b.mp4", tmp_path))
    assert (alone.kind, alone.sequences[0].name, len(alone.train)) == ("video", "b", 4)
    assert (both.kind, [sequence.name for sequence in both.sequences]) == ("video", ["a.mkv", "b.mp4"])


@pytest.mark.parametrize("offsets", [(-1, 1), (1,), (-2, -1, 1, 2)])
@pytest.mark.parametrize("spacing", [1, 3])
@pytest.mark.parametrize("gap", [False, True])
def test_training_and_validation_share_no_frame(
    tmp_path: Path, offsets: tuple[int, ...], spacing: int, gap: bool
) -> None:
    numbers = [number for number in range(100) if not (gap and 40 <= number < 50)]
    footage = recognise(_images(tmp_path / "drive", numbers)).footage(camera=CAMERA, offsets=offsets, spacing=spacing)
    steps = tuple(offset * spacing for offset in offsets)
    seen = [_frames(footage, part, steps) for part in ("train", "val")]
    assert not seen[0] & seen[1]
    assert all(number in numbers for part in seen for _, number in part)
    n_clips = sum(all(number + step in numbers for step in steps) for number in numbers)
    assert len(footage.val) == n_clips // 10
    assert footage.val[-1].number + max(0, *steps) == 99


@pytest.mark.parametrize(("n_frames", "n_val"), [(21, 0), (22, 2), (40, 3)])
def test_validation_starts_at_twenty_clips(tmp_path: Path, n_frames: int, n_val: int) -> None:
    assert len(recognise(_images(tmp_path / "drive", range(n_frames))).footage(camera=CAMERA).val) == n_val


def test_of_many_short_sequences_the_last_is_for_validation(tmp_path: Path) -> None:
    for drive in "abc":
        _images(tmp_path / drive, range(12))
    footage = recognise(tmp_path).footage(camera=CAMERA)
    assert {ref.sequence for ref in footage.val} == {"c"}
    assert {ref.sequence for ref in footage.train} == {"a", "b"}


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    drive = _images(tmp_path / "drive", range(8))
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("nothing here")
    refusals: list[tuple[Path, dict[str, object], str]] = [
        (tmp_path / "gone", {}, "no such data.*gone"),
        (tmp_path / "empty", {}, "empty; .*got an empty folder"),
        (tmp_path / "notes", {}, "notes; .*got readme.txt"),
        (tmp_path / "notes" / "readme.txt", {}, "readme.txt"),
        (drive / "000000.png", {}, "one image is not a sequence"),
        (drive, {"split": "eigen_zhou"}, "a split applies to KITTI only: --split eigen_zhou"),
        (drive, {"spacing": 5}, r"no frames to train on.*\-5, \+5"),
    ]
    for path, options, sentence in refusals:
        with pytest.raises(DataError, match=sentence):
            recognise(path).footage(camera=CAMERA, **options)  # type: ignore[arg-type]


def test_auto_takes_the_spacing_of_the_motion_and_drops_parked_stretches(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    drive = moving_texture(120, IDEAL_PX / 3)
    path = write_video(tmp_path / "drive.mp4", drive[:60] + 40 * [drive[60]] + drive[60:], fps=30)
    footage = recognise(path).footage(spacing=None, camera=CAMERA)
    targets = {ref.number for ref in (*footage.train, *footage.val)}
    assert footage.spacing == 3
    assert not targets & set(range(66, 94))
    assert {3, 30, 55, 105, 156} <= targets | set(range(130, 160))
    assert not _frames(footage, "train", (-3, 3)) & _frames(footage, "val", (-3, 3))


def test_auto_refuses_a_camera_that_never_moves(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    path = write_video(tmp_path / "still.mp4", moving_texture(1, 0) * 41)
    with pytest.raises(DataError, match=r"stands still.*still\.mp4"):
        recognise(path).footage(spacing=None, camera=CAMERA)


def test_gaps_are_where_numbers_jump() -> None:
    assert find_gaps((1, 2, 3, 7, 8, 10)) == ((3, 7), (8, 10))
    assert find_gaps((5,)) == ()


def test_an_inspection_says_what_training_would_use(tmp_path: Path) -> None:
    summary = inspect_source(recognise(_images(tmp_path / "drive", [*range(10), *range(20, 30)])))
    (row,) = summary.sequences
    assert (row.n_frames, row.width, row.height, row.fps, row.gaps) == (20, 40, 24, None, ((9, 20),))
    assert (row.camera, row.fov_deg) == ("assumed", pytest.approx(60))
    assert (summary.n_train, summary.n_val) == (16, 0)
    assert any("ASSUMED" in sentence for sentence in summary.warnings)
    assert inspect_source(recognise(tmp_path / "drive"), camera="fov:80").sequences[0].camera == "given"


def test_an_inspection_looks_at_the_size_of_every_image(tmp_path: Path) -> None:
    _images(tmp_path / "drive", range(30))
    _images(tmp_path / "drive", [17], width=44)
    with pytest.raises(DataError, match=r"000017\.png; expected 40x24; got 44x24"):
        inspect_source(recognise(tmp_path / "drive"), CAMERA)


def test_kitti_is_recognised_with_its_own_camera_and_takes_another(shared: Path) -> None:
    root = shared / "kitti-mini" / "kitti_raw"
    split = str(shared / "kitti-mini" / "splits" / "mini")
    footage = recognise(root).footage(split=split)
    assert (footage.kind, len(footage.train), len(footage.test)) == ("kitti-raw", 134, 4)
    assert footage.sequences[0].camera.fx == pytest.approx(721.5377)
    assert recognise(root).footage(split=split, camera="700,700,620,187").sequences[0].camera.fx == 700
    summary = inspect_source(recognise(root), None, split)
    assert (summary.sequences[0].camera, summary.every) == ("calibration", 1)


def two_dates(folder: Path) -> Path:
    """A KITTI root whose dates have frames of different sizes, and no calibration."""
    for date, width in (("2011_09_26", 40), ("2011_09_28", 44)):
        _images(folder / date / f"{date}_drive_0001_sync" / "image_02" / "data", range(4), width=width)
    return folder


@pytest.mark.parametrize("camera", ["paper", "fov:60"])
def test_a_camera_in_terms_of_the_frame_is_taken_for_the_frames_of_each_date(tmp_path: Path, camera: str) -> None:
    sequences = recognise(two_dates(tmp_path)).footage(camera=camera).sequences
    assert [sequence.camera for sequence in sequences] == [
        parse_camera(camera, width=width, height=24) for width in (40, 44)
    ]


def test_a_camera_in_pixels_is_refused_for_frames_of_two_sizes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"size that its camera is for.*expected 4\dx24; got 4\dx24"):
        recognise(two_dates(tmp_path)).footage(camera="30,30,19.5,11.5")


def test_the_papers_camera_for_other_footage_than_kitti_is_said(tmp_path: Path) -> None:
    with pytest.warns(SelfDepthWarning, match="the paper's camera is KITTI's"):
        footage = recognise(_images(tmp_path / "drive", range(10))).footage(camera="paper")
    assert footage.sequences[0].camera == parse_camera("paper", width=40, height=24)


def test_kitti_without_images_cannot_take_a_camera(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "2011_09_26").mkdir()
    calibration = shared / "kitti-mini" / "kitti_raw" / "2011_09_26" / "calib_cam_to_cam.txt"
    shutil.copy(calibration, tmp_path / "2011_09_26")
    with pytest.raises(DataError, match="no images"):
        recognise(tmp_path).footage(camera=CAMERA)
