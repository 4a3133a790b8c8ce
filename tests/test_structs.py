"""Batches stay as they are; trajectories are written as KITTI writes them."""

from __future__ import annotations

import pytest
import torch

from selfdepth.structs import Batch


def test_a_batch_cannot_be_changed_in_place() -> None:
    frames = torch.full((1, 3, 3, 4, 6), 0.5)
    batch = Batch(frames=frames, inputs=frames, K=torch.eye(3)[None], offsets=(-1, 1))
    with pytest.raises(AttributeError):
        batch.offsets = (1,)  # type: ignore[misc]
