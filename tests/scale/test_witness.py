"""What a witness says."""

from __future__ import annotations

import numpy as np

from selfdepth.scale import witness


def test_a_testimony_that_left_nothing_out_says_so() -> None:
    said = witness.Testimony(witness="height", source="1.65 m", times_s=np.zeros(1), factors=np.ones(1))
    assert (dict(said.left_out), said.notes) == ({}, ())
