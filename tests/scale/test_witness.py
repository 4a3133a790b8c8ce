"""What a witness says."""

from __future__ import annotations

import numpy as np

from selfdepth.scale.witness import Testimony


def test_a_testimony_that_left_nothing_out_says_so() -> None:
    said = Testimony(witness="height", source="1.65 m", times_s=np.zeros(1), factors=np.ones(1))
    assert (dict(said.left_out), said.notes) == ({}, ())
