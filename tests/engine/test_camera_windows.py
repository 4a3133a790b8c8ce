"""Windows of a run's footage, as bundle adjustment takes them."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.engine.camera_windows import REACH, camera_at_size, windows
from selfdepth.engine.setup import Run
from selfdepth.learners.self_supervised import SelfSupervisedDepth


def test_a_window_is_the_frames_around_its_anchor_with_the_motions_between_them(whole_run: Run) -> None:
    learner = whole_run.learner
    assert isinstance(learner, SelfSupervisedDepth)
    learner.eval()
    camera = camera_at_size(whole_run, whole_run.cameras[0])
    clips = whole_run.data.train.clips
    found = list(windows(whole_run, learner, 0, camera, len(clips)))
    assert found
    images = {whole_run.data.train.clip(i).frames[0, 0].numpy().tobytes() for i in range(len(clips))}
    assert len(images) > 5
    for window in found:
        n = len(window.images)
        assert 7 <= n <= 2 * REACH + 1 and window.images.shape[1:] == window.points.shape[:2]
        np.testing.assert_array_equal(window.T_image_anchor[window.anchor], np.eye(4))
        pixels, ahead = camera.project(window.points.reshape(-1, 3))
        v, u = np.mgrid[0 : camera.height, 0 : camera.width]
        assert ahead.all()
        np.testing.assert_allclose(pixels, np.stack([u.ravel(), v.ravel()], axis=1), atol=1e-4)
    # The same frame, seen from two anchors, is the same image; the motion between both is that from one to the other.
    first, second = found[0], next(each for each in found if each.anchor != found[0].anchor or each is not found[0])
    shared = [
        (i, j)
        for i, a in enumerate(first.images)
        for j, b in enumerate(second.images)
        if np.array_equal(a, b) and i > first.anchor and j > second.anchor
    ]
    assert len(shared) > 2
    (i, j), (k, m) = shared[0], shared[1]
    between = first.T_image_anchor[k] @ np.linalg.inv(first.T_image_anchor[i])
    np.testing.assert_allclose(second.T_image_anchor[m] @ np.linalg.inv(second.T_image_anchor[j]), between, atol=1e-5)


@pytest.mark.parametrize("most", [1, 3])
def test_there_are_no_more_windows_than_asked_for(whole_run: Run, most: int) -> None:
    learner = whole_run.learner
    assert isinstance(learner, SelfSupervisedDepth)
    assert len(list(windows(whole_run, learner, 0, camera_at_size(whole_run, whole_run.cameras[0]), most))) <= most
