"""Prediction of many inputs: everything is checked before the first frame, and each result has a place of its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.errors import ConfigError, DataError, OutputError, SelfDepthWarning
from selfdepth.inference.inputs import PredictionInput, open_inputs
from selfdepth.inference.predict import crop_as_trained, motion_predictor, output_folders, predict_inputs
from selfdepth.inference.save import SaveOptions
from selfdepth.weights.files import LoadedWeights, load_weights

W, H = 96, 64


def write_frames(folder: Path, n: int = 4, size: tuple[int, int] = (W, H)) -> Path:
    folder.mkdir(parents=True)
    for number in range(n):
        Image.new("RGB", size, (30 * number, 90, 0)).save(folder / f"{number:03d}.png")
    return folder


def opened(*paths: Path) -> list[PredictionInput]:
    return open_inputs(tuple(map(str, paths)), camera=None)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    return write_frames(tmp_path / "drive")


@pytest.fixture
def weights(model: Path) -> LoadedWeights:
    return load_weights(model)


def cropping(weights: LoadedWeights) -> LoadedWeights:
    """The same model, trained on frames of 96x64 pixels without their lowest 16 rows."""
    return dataclasses.replace(weights, config=dataclasses.replace(weights.config, crop="0,16,0,0"))


def test_every_frame_of_every_input_is_written_and_counted(model: Path, drive: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    inputs = opened(drive, write_frames(tmp_path / "other", 2))
    done = predict_inputs(
        str(model), inputs, tmp_path / "out", SaveOptions(kinds=("npz",)), device="cpu", advance=seen.append
    )
    assert (done.count, sum(seen), done.metres_per_unit) == (6, 6, 1.0)
    for each, folder in zip(inputs, done.folders, strict=True):
        written = sorted(path.stem for path in (folder / "npz").iterdir())
        assert written == sorted(each.names), "the names collide, so each input has a folder"
    with np.load(done.folders[0] / "npz/001.npz") as arrays:
        np.testing.assert_allclose(arrays["depth"], done.predictor.predict(drive / "001.png").depth, rtol=1e-4)


def test_inputs_share_the_folder_unless_names_or_whole_results_would_collide(drive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (W, H)).save(other / "900.png")
    out = tmp_path / "out"
    assert output_folders(opened(drive, other), out, ("npz",)) == (out, out)
    assert output_folders(opened(drive), out, ("mp4",)) == (out,)
    for kind in ("mp4", "ply", "trajectory"):
        assert output_folders(opened(drive, other), out, (kind,)) == (out / "drive", out / "other")
    same = write_frames(tmp_path / "same")
    assert output_folders(opened(drive, same), out, ("npz",)) == (out / "drive", out / "same")


def test_a_result_never_replaces_an_input(tmp_path: Path) -> None:
    frames = write_frames(tmp_path / "color")
    with pytest.raises(OutputError, match=r"would replace an input: .*color/000\.png; give another --out"):
        output_folders(opened(frames), tmp_path, ("color",))


def test_what_cannot_be_used_is_refused_before_anything_is_written(model: Path, drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    unknown = open_inputs((str(write_frames(tmp_path / "large", size=(200, 64))),), camera=None)
    for inputs, kinds in ((unknown, ("ply",)), (opened(drive), ("kitti",))):
        with pytest.raises(DataError):
            predict_inputs(str(model), inputs, out, SaveOptions(kinds=kinds), device="cpu")
        assert not out.exists()


def test_frames_are_cropped_as_at_training_and_that_is_said(
    weights: LoadedWeights, drive: Path, recwarn: pytest.WarningsRecorder
) -> None:
    said: list[str] = []
    (cropped,) = crop_as_trained(opened(drive), cropping(weights), ("npz",), said.append)
    assert cropped.first_size == (W, H - 16)
    assert len(said) == 1 and "0,16,0,0" in said[0]
    assert not recwarn.list


def test_frames_that_cannot_be_cropped_are_warned_of(weights: LoadedWeights, tmp_path: Path) -> None:
    other = opened(write_frames(tmp_path / "large", size=(200, 64)))
    with pytest.warns(SelfDepthWarning, match="those of large are taken whole"):
        assert crop_as_trained(other, cropping(weights), ("npz",), pytest.fail) == other


def test_without_a_crop_at_training_nothing_is_said(
    weights: LoadedWeights, drive: Path, recwarn: pytest.WarningsRecorder
) -> None:
    inputs = opened(drive)
    assert crop_as_trained(inputs, weights, ("npz",), pytest.fail) == inputs
    assert not recwarn.list


def motion(weights: LoadedWeights, inputs: list[PredictionInput], options: SaveOptions) -> object:
    return motion_predictor(weights, inputs, options, device="cpu", precision="fp32")


def test_the_camera_is_followed_only_where_something_needs_its_path(moving_model: Path, drive: Path) -> None:
    weights, inputs = load_weights(moving_model), opened(drive)
    assert motion(weights, inputs, SaveOptions(kinds=("color", "npz"))) is None
    assert motion(weights, inputs, SaveOptions(kinds=("ply",))) is not None
    assert motion(weights, inputs, SaveOptions(kinds=("trajectory",))) is not None


def test_without_a_pose_network_points_are_written_frame_by_frame(weights: LoadedWeights, drive: Path) -> None:
    assert motion(weights, opened(drive), SaveOptions(kinds=("ply",))) is None


def test_a_spacing_where_no_path_is_computed_is_refused_by_its_option(weights: LoadedWeights, drive: Path) -> None:
    with pytest.raises(ConfigError, match="--every"):
        motion(weights, opened(drive), SaveOptions(kinds=("npz",), spacing=2))


def test_frames_that_do_not_follow_each_other_have_no_trajectory(moving_model: Path, tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    for name in ("cat.png", "dog.png"):
        Image.new("RGB", (W, H)).save(album / name)
    gap = write_frames(tmp_path / "gap")
    (gap / "001.png").rename(gap / "009.png")
    weights, options = load_weights(moving_model), SaveOptions(kinds=("trajectory",))
    with pytest.raises(DataError, match="not known to follow each other in time"):
        motion(weights, opened(album), options)
    with pytest.raises(DataError, match=r"gap"):
        motion(weights, opened(gap), options)
