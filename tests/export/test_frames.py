"""The frames on which an export is compared and calibrated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.run import evaluate_model
from selfdepth.export.frames import SampleFrames, as_input, frames_of, rendered_frames
from selfdepth.export.parity import original_of
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.weights.files import LoadedWeights


def pixels(folder: Path, number: int) -> np.ndarray:
    return np.asarray(Image.open(folder / f"{number:03d}.png"))


def test_at_most_so_many_frames_evenly_spaced(calibrated: LoadedWeights, street: Path) -> None:
    frames = frames_of(calibrated, street, "depth", 3)
    assert len(frames) == 3 and frames.where == str(street)
    for number, (image,) in zip((0, 2, 5), frames.inputs, strict=True):
        np.testing.assert_array_equal(image, pixels(street, number))


def test_motion_is_compared_on_frames_at_the_spacing_of_training(calibrated: LoadedWeights, street: Path) -> None:
    weights = replace(calibrated, config=replace(calibrated.config, every="2"))
    frames = frames_of(weights, street, "pose", 2)
    for first, (earlier, later) in zip((0, 3), frames.inputs, strict=True):
        np.testing.assert_array_equal(earlier, pixels(street, first))
        np.testing.assert_array_equal(later, pixels(street, first + 2))


def test_frames_too_few_for_a_motion_are_refused(calibrated: LoadedWeights, street: Path) -> None:
    weights = replace(calibrated, config=replace(calibrated.config, every="7"))
    with pytest.raises(DataError, match=r"no two frames.*expected frames that are 7 apart; got 6 frames"):
        frames_of(weights, street, "pose", 2)


def test_calibration_and_comparison_share_no_frame(calibrated: LoadedWeights, street: Path) -> None:
    frames = frames_of(calibrated, street, "depth", 6)
    halves = [frames.half(which) for which in (0, 1)]
    assert {*halves[0].refs}.isdisjoint(halves[1].refs)
    assert {*halves[0].refs} | {*halves[1].refs} == {*frames.refs}
    assert [len(half.inputs) for half in halves] == [3, 3]


def test_colours_are_shares_of_the_largest_with_the_channels_first() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[1, 3] = 255, 51, 0
    array = as_input(image)
    assert array.shape == (1, 3, 2, 4) and array.dtype == np.float32
    np.testing.assert_allclose(array[0, :, 1, 3], [1, 0.2, 0])


def test_rendered_frames_have_the_networks_size_and_say_what_they_are(calibrated: LoadedWeights) -> None:
    frames = rendered_frames(calibrated, "pose", 2)
    assert frames.where == "rendered frames" and len(frames) == 2
    assert all(image.shape == (64, 96, 3) for pair in frames.inputs for image in pair)
    np.testing.assert_array_equal(frames.inputs[0][1], frames.inputs[1][0])


def test_without_ground_truth_there_is_no_error(calibrated: LoadedWeights, street: Path) -> None:
    frames = frames_of(calibrated, street, "depth", 2)
    assert frames.abs_rel([(np.ones((64, 96)),)] * 2, None) == []
    assert SampleFrames(where="x", inputs=()).abs_rel([], None) == []


def test_the_error_is_that_of_evaluate_depth(calibrated: LoadedWeights, tmp_path: Path) -> None:
    write_drive(render_drive(DriveSpec(seed=3, frames=3, width=96, height=64)), tmp_path, with_depth=True)
    frames = frames_of(calibrated, tmp_path, "depth", 100)
    original = original_of(calibrated, "depth")
    errors = frames.abs_rel([(original(images), 2 * original(images)) for images in frames.inputs], 1.0)
    options = ComparisonOptions(median_scaling=False)
    report = evaluate_model(str(calibrated.folder), tmp_path, options=options).report
    assert len(errors) == len(report.images)
    assert float(np.mean([own for own, _ in errors])) == pytest.approx(report.abs_rel, rel=1e-5)
    assert all(own != double for own, double in errors)
