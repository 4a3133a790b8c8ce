"""Batches travel and join as one; trajectories are written as KITTI writes them."""

from __future__ import annotations

import pytest
import torch

from selfdepth.structs import Batch


def batch(b: int, *, stereo: bool = False, fill: float = 0.5) -> Batch:
    frames = torch.full((b, 3, 3, 4, 6), fill)
    return Batch(
        frames=frames,
        inputs=frames + 0.1,
        K=torch.eye(3).repeat(b, 1, 1),
        offsets=(-1, 1),
        T_stereo_target=torch.eye(4).repeat(b, 1, 1) if stereo else None,
    )


@pytest.mark.parametrize("stereo", [False, True])
def test_collating_joins_the_clips_in_their_order(stereo: bool) -> None:
    joined = Batch.collate([batch(1, stereo=stereo, fill=0.1), batch(2, stereo=stereo, fill=0.2)])
    assert joined.frames[:, 0, 0, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.2])
    assert joined.inputs.shape == (3, 3, 3, 4, 6)
    assert joined.K.shape == (3, 3, 3)
    assert joined.offsets == (-1, 1)
    assert (joined.T_stereo_target is not None) == stereo


@pytest.mark.parametrize("stereo", [False, True])
def test_a_batch_moves_with_all_its_tensors(stereo: bool) -> None:
    moved = batch(2, stereo=stereo).to("meta")
    assert {moved.frames.device.type, moved.inputs.device.type, moved.K.device.type} == {"meta"}
    assert moved.offsets == (-1, 1)
    if stereo:
        assert moved.T_stereo_target is not None
        assert moved.T_stereo_target.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a GPU")
def test_a_pinned_batch_is_in_page_locked_memory() -> None:
    assert batch(1).pin_memory().frames.is_pinned()


def test_a_batch_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        batch(1).offsets = (1,)  # type: ignore[misc]
