"""Ground truth in another unit is refused with its range and the unit that fits."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.errors import DataError
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.evaluation.depth.units import truth_out_of_range


@pytest.mark.parametrize(
    ("per_m", "unit"), [(1000, "millimetres"), (100, "centimetres"), (256, "KITTI's PNG"), (5000, "TUM's PNG")]
)
def test_the_sentence_says_the_range_and_a_unit_that_fits(per_m: float, unit: str) -> None:
    error = truth_out_of_range(np.array([0.8, 10.0, 70.0]) * per_m, 0.0, 80.0)
    assert unit in str(error)
    assert f"values from {0.8 * per_m:g} to {70 * per_m:g}" in str(error)


def test_a_set_in_millimetres_is_refused_with_its_unit() -> None:
    truth = np.full((8, 8), 12_000.0)
    with pytest.raises(DataError, match=r"values from 12000 to 12000.*millimetres.*divide them by 1000"):
        evaluate_set([np.ones((8, 8))], [truth], PROTOCOLS["dense"])
