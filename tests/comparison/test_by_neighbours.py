"""Models judged without ground truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from helpers.comparison_place import Place, asked
from selfdepth.comparison.result import CONSTANT, ROWS, UNMOVED
from selfdepth.comparison.run import compare_models
from selfdepth.errors import SelfDepthError


def test_without_ground_truth_all_are_judged_by_the_motion_of_the_first_that_has_one(place: Place) -> None:
    done = compare_models(asked(place, "onnx", "run", "depth", on="pictures"), place.pictures)
    assert done.measure == "photometric error" and set(done.baselines) == {CONSTANT, ROWS, UNMOVED}
    assert any("pose network of mine" in sentence for sentence in done.how)
    assert [entry.trained_here for entry in done.entries] == [False, True, False]
    assert any("flatters" in sentence for sentence in done.how)
    assert all(np.isfinite(entry.errors.frames).all() and len(entry.errors.frames) == 3 for entry in done.entries)


def test_a_guide_without_a_pose_network_is_refused(place: Place) -> None:
    wanted = dataclasses.replace(asked(place, "run", "export", on="pictures"), motion_from=str(place.export))
    with pytest.raises(SelfDepthError, match=r"no pose network.*got an ONNX file, which holds one network"):
        compare_models(wanted, place.pictures)


def test_a_shift_of_a_network_that_has_an_unknown_one_is_fitted_for_all(place: Place) -> None:
    wanted = dataclasses.replace(asked(place, "run", "onnx", on="pictures"), predictions_are=("disparity-affine",))
    done = compare_models(wanted, place.pictures)
    plain = compare_models(asked(place, "run", "onnx", on="pictures"), place.pictures)
    assert any("any.onnx gives disparity up to a shift" in sentence for sentence in done.how)
    assert all(
        (new.errors.frames <= old.errors.frames).all() for new, old in zip(done.entries, plain.entries, strict=True)
    )
