"""The number that turns Monodepth v1's disparity into depth, from the cameras of the training pairs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest

from selfdepth.data.clips.clips import ClipSet
from selfdepth.data.frames import FrameRef
from selfdepth.engine.pairs import focal_baseline_of
from selfdepth.errors import DataError, SelfDepthWarning

WIDTH = 100


def clips(translations: Sequence[tuple[float, float, float]], focals_px: Sequence[float]) -> ClipSet:
    n = len(translations)
    K, T = (np.tile(np.eye(size, dtype=np.float32), (n, 1, 1)) for size in (3, 4))
    K[:, 0, 0], T[:, :3, 3] = focals_px, translations
    refs = tuple(FrameRef("drive/image_02", number) for number in range(n))
    rows = np.zeros((n, 2), dtype=np.int64)
    return ClipSet(rows=rows, K=K, refs=refs, offsets=(), spacing=1, T_stereo_target=T, n_dropped=0)


def test_it_is_focal_length_in_widths_times_baseline_whichever_camera_is_the_target() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = focal_baseline_of(clips([(-0.54, 0.003, 0.0), (0.54, -0.003, 0.0)], [58.0, 58.0]), WIDTH)
    assert found == pytest.approx(0.58 * 0.54)


def test_cameras_that_differ_a_little_share_their_median_and_such_that_differ_much_are_warned_of() -> None:
    baselines = [(-0.53, 0.0, 0.0), (-0.54, 0.0, 0.0), (-0.541, 0.0, 0.0)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert focal_baseline_of(clips(baselines, [58.0] * 3), WIDTH) == pytest.approx(0.58 * 0.54)
    with pytest.warns(SelfDepthWarning, match=r"from 0\.307 to 0\.541 image widths; depth is computed with 0\.313"):
        focal_baseline_of(clips(baselines, [58.0, 58.0, 100.0]), WIDTH)


@pytest.mark.parametrize("wrong", [(0.0, 0.5, 0.0), (-0.5, 0.1, 0.0), (-0.5, 0.0, 0.3), (0.0, 0.0, 0.0)])
def test_cameras_that_do_not_stand_side_by_side_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(DataError, match="drive/image_02") as refused:
        focal_baseline_of(clips([(-0.5, 0.0, 0.0), wrong], [58.0, 58.0]), WIDTH)
    assert "side by side" in str(refused.value)
