"""Frames rebuilt from their neighbours: true depth does best, and no factor has an advantage."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from helpers.comparison_place import Place
from selfdepth.comparison.candidates import open_candidates
from selfdepth.comparison.photometric import Clip, best_fit, clips_of, disparities_of, unmoved
from selfdepth.data.frames import FrameRef
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.frames import EvaluationFrames
from selfdepth.evaluation.depth.run import frames_of_model
from selfdepth.geometry.rigid import inverse
from selfdepth.inference.odometry import MotionPredictor

FAR = 200.0


def true_clip(place: Place, middle: int = 2) -> tuple[Clip, np.ndarray]:
    """A frame of the drive with the true motion, and its true disparity."""
    drive = place.drive
    order = [middle, middle - 1, middle + 1]
    T_world = drive.T_world_camera
    clip = Clip(
        ref=FrameRef("drive", middle),
        frames=torch.from_numpy(drive.images[order]).permute(0, 3, 1, 2).float() / 255,
        T_source_target=torch.from_numpy(np.stack([inverse(T_world[i]) @ T_world[middle] for i in order[1:]])).float(),
        K=torch.as_tensor(drive.camera.matrix(), dtype=torch.float32),
        lenses=None,
    )
    depth = np.where(drive.depth[middle] > 0, drive.depth[middle], FAR)
    return clip, 1 / depth


def test_true_depth_rebuilds_a_frame_better_than_a_constant_or_no_motion(place: Place) -> None:
    clip, disparity = true_clip(place)
    median = float(np.median(1 / disparity))
    true = best_fit(clip, disparity, median)
    assert np.median(true.disparity / disparity) == pytest.approx(1, abs=0.1)
    assert true.error < best_fit(clip, np.ones_like(disparity), median).error < unmoved(clip)


def test_a_factor_of_the_depth_changes_nothing(place: Place) -> None:
    clip, disparity = true_clip(place)
    median = float(np.median(1 / disparity))
    first, again = best_fit(clip, disparity, median), best_fit(clip, disparity * 7.3, median)
    assert again.error == pytest.approx(first.error, rel=1e-3)
    np.testing.assert_allclose(again.disparity, first.disparity, rtol=1e-3)


def test_the_error_is_not_above_that_of_the_starting_factor(place: Place) -> None:
    clip, disparity = true_clip(place)
    median = float(np.median(1 / disparity))
    spoilt = best_fit(clip, disparity, median * 1.7)  # the search finds back
    assert spoilt.error == pytest.approx(best_fit(clip, disparity, median).error, rel=0.02)


def test_a_shift_of_the_disparity_is_found_back_only_where_shifts_are_tried(place: Place) -> None:
    clip, disparity = true_clip(place)
    median = float(np.median(1 / disparity))
    shifted = disparity + 2 * float(disparity.max())  # nearly a constant
    true, spoilt = best_fit(clip, disparity, median).error, best_fit(clip, shifted, median).error
    found = best_fit(clip, shifted, median, shifts=True).error
    assert found - true < 0.35 * (spoilt - true)
    assert best_fit(clip, disparity, median, shifts=True).error <= true


def frames_of(place: Place) -> tuple[EvaluationFrames, MotionPredictor]:
    (candidate,) = open_candidates([str(place.run)], (), "cpu")
    options = ComparisonOptions()
    frames = frames_of_model(candidate.weights, place.pictures, split=None, ground_truth=None, options=options)
    return frames, MotionPredictor(candidate.weights, device="cpu", precision="fp32")


def test_frames_with_both_neighbours_are_rebuilt_and_the_views_are_in_order(place: Place) -> None:
    frames, motion = frames_of(place)
    clips = clips_of(frames, motion, 25)
    assert [clip.ref.number for clip in clips] == sorted(ref.number for ref in frames.refs)[1:-1]
    first, second = clips[0], clips[1]
    torch.testing.assert_close(first.frames[2], second.frames[0])  # its later neighbour
    torch.testing.assert_close(second.frames[1], first.frames[0])
    # The motion to the next frame, and from there back.
    forth, back = first.T_source_target[1].double(), second.T_source_target[0].double()
    torch.testing.assert_close(back @ forth, torch.eye(4, dtype=torch.float64), atol=1e-5, rtol=0)
    assert len(clips_of(frames, motion, 2)) == 2


def test_without_neighbours_there_is_one_sentence(place: Place) -> None:
    frames, motion = frames_of(place)
    alone = dataclasses.replace(frames, selection=dataclasses.replace(frames.selection, refs=frames.refs[:1]))
    with pytest.raises(DataError, match=r"no frame can be rebuilt.*neighbours at -1, \+1"):
        clips_of(alone, motion, 25)


def test_every_model_sees_the_same_view_at_its_own_size(place: Place) -> None:
    frames, motion = frames_of(place)
    clips = clips_of(frames, motion, 2)
    (export,) = open_candidates([str(place.export)], (), "cpu")
    maps = disparities_of(export, frames, clips)
    assert [each.shape for each in maps] == [(64, 96)] * 2
    # This network's disparity falls with the brightness.
    bright = clips[0].frames[0].mean(0).numpy()
    assert np.corrcoef(maps[0].ravel(), bright.ravel())[0, 1] < -0.9
