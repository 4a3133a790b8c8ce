"""Frames with their ground truth and prediction."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from helpers.depth_world import World, write_split
from selfdepth.data.frames import FrameRef
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.pairs import name_of, predicted_pairs, truths_ahead
from selfdepth.evaluation.depth.run import frames_of_model
from selfdepth.inference.predictor import Predictor
from selfdepth.weights.files import load_weights


def test_a_frame_without_ground_truth_is_not_predicted_and_the_order_stays(world: World, tmp_path: Path) -> None:
    weights, split = load_weights(world.model), write_split(tmp_path, test=(0, 1, 2, 3))
    frames = frames_of_model(weights, world.root, split=split, ground_truth=None, options=ComparisonOptions())
    pairs = list(predicted_pairs(Predictor(weights, device="cpu"), frames, batch_size=3, post_process=False))
    assert [pair.name.split()[-1] for pair in pairs] == ["0", "1", "2", "3"]
    assert [pair.disparity is None for pair in pairs] == [False, True, False, True]
    assert [pair.truth is None for pair in pairs] == [False, True, False, True]


def test_batches_of_truth_cover_all_frames_whatever_their_size(world: World) -> None:
    weights = load_weights(world.model)
    frames = frames_of_model(weights, world.root, split=world.split, ground_truth=None, options=ComparisonOptions())
    for size in (1, 2, 8):
        batches = list(truths_ahead(frames, size))
        assert [ref for batch in batches for ref, _ in batch] == list(frames.refs)
        assert max(map(len, batches)) <= size
    longer = dataclasses.replace(frames, selection=dataclasses.replace(frames.selection, refs=frames.refs * 9))
    assert sum(map(len, truths_ahead(longer, 2))) == 9 * len(frames.refs)


def test_a_frame_is_named_by_its_sequence_and_number() -> None:
    assert name_of(FrameRef("drive/image_02", 12)) == "drive/image_02 12"
