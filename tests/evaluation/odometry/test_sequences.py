"""The sequence that a trajectory is evaluated on, and its true poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.trajectories import STREET_FRAMES as FRAMES
from helpers.trajectories import timed
from helpers.videos import write_two_streams
from selfdepth.data.readers.folders import list_images
from selfdepth.data.readers.pictures import read_image
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.metrics import absolute_trajectory_error
from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate
from selfdepth.synthetic.drive import SyntheticDrive


@pytest.mark.parametrize(
    ("data", "sequence"), [("odometry", "09"), ("raw", None), ("raw", "2011_09_26_drive_0001_sync"), ("folder", None)]
)
def test_true_poses_are_found_in_every_layout(
    world: Path, street: SyntheticDrive, data: str, sequence: str | None
) -> None:
    found = sequence_to_evaluate(world / data, sequence)
    assert len(found.truth) == len(found.sequence.numbers) == FRAMES
    error = absolute_trajectory_error(found.truth.T_world_camera, street.T_world_camera, alignment="none")
    assert error.max < 0.02  # camera 0 stands 6 cm beside the camera of the images
    spacing = 0.1 if data == "odometry" or data == "raw" else 1.0
    np.testing.assert_allclose(found.truth.timestamps, np.arange(FRAMES) * spacing, atol=1e-6)


def test_a_file_of_true_poses_can_be_given(world: Path, street: SyntheticDrive, tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text(timed(street.T_world_camera).to_tum())
    truth = sequence_to_evaluate(world / "odometry", "00", tmp_path / "truth.txt").truth
    np.testing.assert_allclose(truth.T_world_camera, street.T_world_camera, atol=1e-9)
    (tmp_path / "short.txt").write_text(timed(street.T_world_camera[:5]).to_tum())
    with pytest.raises(DataError, match=r"one true pose for each frame: .*short\.txt; expected 11"):
        sequence_to_evaluate(world / "odometry", "00", tmp_path / "short.txt")


def test_data_without_true_poses_is_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for path in list_images(world / "folder"):
        Image.fromarray(read_image(path)).save(tmp_path / "frames" / path.name)
    with pytest.raises(DataError, match=r"no true poses.*--ground-truth FILE"):
        sequence_to_evaluate(tmp_path / "frames")
    (tmp_path / "frames/000004.png").unlink()
    with pytest.raises(DataError, match="a jump from 3 to 5"):
        sequence_to_evaluate(tmp_path / "frames")
    with pytest.raises(DataError, match="no such data"):
        sequence_to_evaluate(tmp_path / "gone")
    build_store(recognise(world / "odometry").footage(), tmp_path / "store", width=96, height=64)
    with pytest.raises(DataError, match="a store holds neither ground-truth poses"):
        sequence_to_evaluate(tmp_path / "store")


@pytest.mark.parametrize(("sequence", "sentence"), [(None, "must be named"), ("10", "fits 0"), ("image_2", "fits 2")])
def test_a_name_that_fits_no_sequence_or_several_is_refused_with_the_names(
    world: Path, sequence: str | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence) as refusal:
        sequence_to_evaluate(world / "odometry", sequence)
    assert "00/image_2, 09/image_2" in str(refusal.value)


def test_a_real_drive_has_true_poses(shared: Path) -> None:
    root = shared / "kitti-mini" / "kitti_raw"
    found = sequence_to_evaluate(root, "2011_09_26_drive_0005_sync")
    straight = np.linalg.norm(found.truth.T_world_camera[-1, :3, 3])
    assert len(found.truth) == len(found.sequence.numbers) > 50 and straight > 20


def _timed(folder: Path, n: int = 6) -> Path:
    folder.mkdir()
    for i in range(n):
        name = str(1_700_000_000 * 10**9 + 50_000_000 * i)
        Image.fromarray(np.full((24, 40, 3), i, np.uint8)).save(folder / f"{name}.png")
    return folder


def _tum(path: Path, times_s: np.ndarray) -> Path:
    path.write_text("".join(f"{t:.9f} {10 * (t - 1_700_000_000):.9f} 0 0 0 0 0 1\n" for t in times_s))
    return path


def test_true_poses_of_another_rate_are_interpolated_at_the_times_in_the_names(tmp_path: Path) -> None:
    truth = _tum(tmp_path / "truth.txt", 1_700_000_000 + np.arange(-5, 40) * 0.011)
    read = sequence_to_evaluate(_timed(tmp_path / "cam0"), None, truth).truth
    np.testing.assert_allclose(read.timestamps, 1_700_000_000 + np.arange(6) * 0.05, atol=1e-6)
    np.testing.assert_allclose(read.T_world_camera[:, 0, 3], np.arange(6) * 0.5, atol=1e-5)


@pytest.mark.parametrize(("stream", "level"), [(0, 40), (1, 200)])
def test_the_stream_that_was_asked_for_is_followed(tmp_path: Path, stream: int, level: int) -> None:
    video = write_two_streams(tmp_path / "dashcam.mp4")
    truth = _tum(tmp_path / "truth.txt", np.arange(8) / 10)
    sequence = sequence_to_evaluate(video, None, truth, stream=stream).sequence
    (first,) = sequence.read((0,))
    assert abs(float(first.mean()) - level) < 4


@pytest.mark.parametrize(
    ("times_s", "sentence"),
    [
        (1_700_000_000 + np.arange(9) * 0.02, "cover 4 of 6 frames"),
        (1_700_000_000 + np.array([-1.0, 2.0]), "a gap between frames"),
    ],
)
def test_true_poses_that_do_not_cover_the_frames_are_refused(
    tmp_path: Path, times_s: np.ndarray, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        sequence_to_evaluate(_timed(tmp_path / "cam0"), None, _tum(tmp_path / "truth.txt", times_s))
