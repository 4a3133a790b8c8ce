"""An export beside the original: what differs is found, and judged by a bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selfdepth.export.frames import SampleFrames, as_input
from selfdepth.export.parity import BOUNDS, Bound, compare_networks

IMAGES = tuple((image,) for image in np.random.default_rng(0).integers(1, 255, (3, 4, 6, 3), np.uint8))
FRAMES = SampleFrames(where="noise", inputs=IMAGES)
BOUND = Bound(largest=0.1, mean=0.01, abs_rel=0.001)


def brightness(images: tuple[np.ndarray, ...]) -> np.ndarray:
    """A stand-in for a network: its original."""
    return as_input(images[0])[0].mean(0)


def exported(inputs: list[np.ndarray]) -> np.ndarray:
    """The same, exported."""
    return inputs[0].mean(1, keepdims=True)


def test_the_same_numbers_differ_by_nothing() -> None:
    parity = compare_networks(brightness, exported, FRAMES, "depth", factor=None)
    each = parity.differences["disparity"]
    assert (each.largest, each.mean) == (0, 0)
    assert each.reference == pytest.approx(np.mean([brightness(images).mean() for images in IMAGES]))
    assert parity.n_samples == 3 and parity.abs_rel is None
    assert all(parity.beyond(bound) is None for bound in BOUNDS.values())


def test_one_wrong_pixel_is_the_largest_difference() -> None:
    def wrong(inputs: list[np.ndarray]) -> np.ndarray:
        maps = exported(inputs).copy()
        maps[0, 0, 2, 3] += 0.25
        return maps

    parity = compare_networks(brightness, wrong, FRAMES, "depth", factor=None)
    each = parity.differences["disparity"]
    assert each.largest == pytest.approx(0.25)
    assert each.mean == pytest.approx(0.25 / 24)
    assert "a largest difference of disparity" in str(parity.beyond(BOUND))
    assert "a mean difference of disparity" in str(parity.beyond(replace(BOUND, largest=9)))
    assert parity.beyond(Bound(largest=9, mean=9, abs_rel=9)) is None


def test_what_is_no_number_is_beyond_every_bound() -> None:
    parity = compare_networks(brightness, lambda inputs: exported(inputs) * np.nan, FRAMES, "depth", factor=None)
    assert all(parity.beyond(bound) is not None for bound in BOUNDS.values())


def test_a_larger_error_is_beyond_and_a_smaller_one_is_not() -> None:
    parity = compare_networks(brightness, exported, FRAMES, "depth", factor=None)
    assert "an abs_rel larger by 0.0020" in str(replace(parity, abs_rel=(0.1, 0.102)).beyond(BOUND))
    assert replace(parity, abs_rel=(0.1, 0.05)).beyond(BOUND) is None


def test_of_a_motion_the_length_and_the_angle_are_compared() -> None:
    pairs = SampleFrames(where="noise", inputs=tuple(images * 2 for images in IMAGES))
    T = np.eye(4)
    T[:3, 3] = 0, 0, 2

    def turned(inputs: list[np.ndarray]) -> np.ndarray:
        other, angle = T.copy(), 0.01
        other[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        other[2, 3] = 2.5
        return other[None]

    parity = compare_networks(lambda images: T, turned, pairs, "pose", factor=None)
    assert parity.differences["translation"].largest == pytest.approx(0.5)
    assert parity.differences["translation"].reference == pytest.approx(2)
    assert parity.differences["rotation"].largest == pytest.approx(0.01, rel=1e-3)


def test_the_bounds_grow_from_exact_to_eight_bits() -> None:
    exact, half, eight = (BOUNDS[name] for name in ("fp32", "fp16", "int8"))
    for name in ("largest", "mean", "abs_rel"):
        assert getattr(exact, name) < getattr(half, name) < getattr(eight, name)
