"""Ground truth from memory, and the answers of ground truth that is not in files."""

from __future__ import annotations

import numpy as np

from selfdepth.data.frames import FrameRef
from selfdepth.data.truth import GivenTruth, NoTruth


def test_given_maps_belong_to_their_frames_and_other_frames_have_none() -> None:
    depth = np.full((2, 3), 7.0)
    truth = GivenTruth({FrameRef("drive", 4): depth})
    assert truth(FrameRef("drive", 4)) is depth
    assert truth(FrameRef("drive", 5)) is None
    assert truth(FrameRef("other", 4)) is None


def test_data_without_ground_truth_has_none_for_any_frame() -> None:
    assert NoTruth()(FrameRef("drive", 4)) is None


def test_ground_truth_in_memory_has_no_folder_and_is_not_cached() -> None:
    for truth in (NoTruth(), GivenTruth({})):
        assert truth.root is None
        assert not truth.is_computed
        assert truth.fingerprint(FrameRef("drive", 4)) is None
        assert "--ground-truth" in truth.layout
