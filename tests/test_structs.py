"""Batches are immutable; predictions convert to metres."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfdepth.structs import Batch, DepthPrediction


def test_a_batch_cannot_be_changed_in_place() -> None:
    frames = torch.full((1, 3, 3, 4, 6), 0.5)
    batch = Batch(frames=frames, inputs=frames, K=torch.eye(3)[None], offsets=(-1, 1))
    with pytest.raises(AttributeError):
        batch.offsets = (1,)  # type: ignore[misc]


def test_a_prediction_in_metres_has_the_same_shape_and_another_size() -> None:
    depth = np.array([[1.0, 2.0], [4.0, 8.0]], np.float32)
    metres = DepthPrediction(depth=depth, disparity=1 / depth, scale="relative", camera=None).in_metres(5.5)
    assert (metres.depth == 5.5 * depth).all()
    np.testing.assert_allclose(metres.depth * metres.disparity, 1, rtol=1e-6)
    assert metres.scale == "metric"
