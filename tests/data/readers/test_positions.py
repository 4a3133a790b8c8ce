"""Speeds from positions."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.readers.positions import EARTH_RADIUS_M, distances_m, speeds_of_positions


@pytest.mark.parametrize("lat", [0.0, 49.0, -60.0])
@pytest.mark.parametrize("bearing", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("metres", [0.05, 10.0, 5e4])
def test_a_distance_is_that_which_was_gone(lat: float, bearing: float, metres: float) -> None:
    # The inverse of the distance: the place at a distance and bearing on a sphere.
    angle, lat_rad = metres / EARTH_RADIUS_M, np.radians(lat)
    lat2 = np.arcsin(np.sin(lat_rad) * np.cos(angle) + np.cos(lat_rad) * np.sin(angle) * np.cos(bearing))
    lon2 = np.arctan2(np.sin(bearing) * np.sin(angle) * np.cos(lat_rad), np.cos(angle) - np.sin(lat_rad) * np.sin(lat2))
    found = distances_m(np.array([lat, np.degrees(lat2)]), np.array([8.0, 8.0 + np.degrees(lon2)]))
    np.testing.assert_allclose(found, [metres], rtol=1e-5)


def test_a_speed_holds_in_the_middle_between_two_positions() -> None:
    degree_m = np.radians(1) * EARTH_RADIUS_M
    times, speeds = speeds_of_positions(np.array([0.0, 2, 3]), np.array([0, 20, 35]) / degree_m, np.zeros(3))
    assert times.tolist() == [1, 2.5]
    np.testing.assert_allclose(speeds, [10, 15])
