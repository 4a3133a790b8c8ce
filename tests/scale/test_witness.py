"""What a witness says of the scale."""

import numpy as np
import pytest

from selfdepth.errors import DataError
from selfdepth.scale.witness import Testimony

Testimony.__test__ = False  # not a test, whatever its name


def said(factors, **others):
    factors = np.array(factors, dtype=float)
    return Testimony(
        witness="height", source="1.65 m", times_s=np.arange(len(factors)) * 1.0, factors=factors, **others
    )


@pytest.mark.parametrize("bad", [0.0, -2.0, np.nan, np.inf])
def test_an_estimate_that_is_no_length_is_refused(bad):
    with pytest.raises(DataError, match=r"height gives no scale.*metres per unit"):
        said([5.0, bad])


def test_a_witness_that_knows_nothing_says_why():
    with pytest.raises(DataError, match="12 frames: no ground"):
        said([], left_out={"no ground": 12})
