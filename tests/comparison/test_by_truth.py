"""Models judged by ground truth."""

from __future__ import annotations

import dataclasses

import pytest

from helpers.comparison_place import Place, asked
from selfdepth.comparison.result import CONSTANT, ROWS
from selfdepth.comparison.run import compare_models
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.run import evaluate_model
from selfdepth.weights.models import StatedModel


def test_errors_are_those_of_evaluate_depth_on_the_same_frames(place: Place) -> None:
    options = ComparisonOptions(at_most=3)
    done = compare_models(asked(place, "depth", "onnx", "export", options=options), place.kitti)
    assert done.measure == "abs_rel" and done.frames.startswith("3 ")
    stated = (str(place.depth), StatedModel(str(place.onnx), "disparity"), str(place.export))
    for entry, model in zip(done.entries, stated, strict=True):
        alone = evaluate_model(model, place.kitti, options=options, device="cpu")
        assert entry.errors.mean == pytest.approx(alone.report.abs_rel, rel=1e-6)
        assert entry.errors.frames.tolist() == [image.abs_rel for image in alone.report.images]
        assert done.baselines[CONSTANT].mean == pytest.approx(alone.baseline.abs_rel)
        assert entry.ms > 0
    assert set(done.baselines) == {CONSTANT, ROWS}
    assert [len(view.pictures) for view in done.views] == [5, 5, 5]
    assert len({pixels.shape for _, pixels in done.views[0].pictures}) == 1


def test_beside_a_network_up_to_a_shift_all_are_aligned_alike(place: Place) -> None:
    options = ComparisonOptions(at_most=2)
    wanted = dataclasses.replace(asked(place, "depth", "onnx", options=options), predictions_are=("disparity-affine",))
    done = compare_models(wanted, place.kitti)
    assert [entry.has_shift for entry in done.entries] == [False, True]
    assert any("any.onnx gives disparity up to a shift" in sentence for sentence in done.how)
    shifted = dataclasses.replace(options, shift=True)
    for entry, model in zip(done.entries, (place.depth, StatedModel(str(place.onnx), "disparity-affine")), strict=True):
        alone = evaluate_model(model, place.kitti, options=shifted, device="cpu")  # type: ignore[arg-type]
        assert alone.scaling == "scale and shift"
        assert entry.errors.frames.tolist() == [image.abs_rel for image in alone.report.images]
