"""Batches are immutable; predictions convert to metres."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfdepth.structs import Batch, DepthPrediction, MetricScale


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


@pytest.mark.parametrize(
    ("spread", "word"),
    [
        (0.0, "metric"),
        (0.1, "metric"),
        (0.1001, "metric within 11 %"),
        (0.18, "metric within 18 %"),
        (1.5, "metric within 150 %"),
        (None, "metric with unknown spread"),
    ],
)
def test_depth_is_metric_up_to_a_spread_of_a_tenth_and_beyond_it_the_spread_is_part_of_the_word(
    spread: float | None, word: str
) -> None:
    scale = MetricScale(factor=2.0, spread=spread, witness="height 1.65 m")
    assert scale.word == word and str(scale).startswith(f"{word}, in metres by height 1.65 m (")
    assert MetricScale.from_json(scale.to_json()) == scale


def test_a_witness_from_a_file_is_one_short_line_that_steers_no_terminal() -> None:
    values = {"factor": 1, "spread": 0, "witness": "a\nb\x1b[31m" + "c" * 1000}
    witness = MetricScale.from_json(values).witness
    assert witness.startswith("a b\\x1b[31m") and len(witness) == 200
