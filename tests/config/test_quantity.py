"""The words for what a map of depth holds."""

from __future__ import annotations

from typing import get_args

from selfdepth.config.quantity import Quantity, Stored, stored


def test_what_is_stored_is_disparity_or_depth_whatever_the_unit() -> None:
    assert {quantity: stored(quantity) for quantity in get_args(Quantity)} == {
        "disparity": "disparity",
        "depth": "depth",
        "depth-metres": "depth",
        "disparity-affine": "disparity",
    }
    assert set(get_args(Stored)) < set(get_args(Quantity))
