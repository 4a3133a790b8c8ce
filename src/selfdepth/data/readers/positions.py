"""Speeds from positions on the earth and their times."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius; the distance between two places is within 0.5 % of that on the ellipsoid."""


def distances_m(lat_deg: Float[ndarray, "n"], lon_deg: Float[ndarray, "n"]) -> Float[ndarray, "n-1"]:
    """Metres between each position and the next, along the ground.

    The haversine formula, which is exact also for the centimetres between two fixes of one second:
    d = 2 R asin sqrt(sin^2(dlat / 2) + cos(lat1) cos(lat2) sin^2(dlon / 2)).
    """
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    squared = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[1:]) * np.cos(lat[:-1]) * np.sin(np.diff(lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(squared, 0, 1))))


def speeds_of_positions(
    times_s: Float[ndarray, "n"], lat_deg: Float[ndarray, "n"], lon_deg: Float[ndarray, "n"]
) -> tuple[Float[ndarray, "n-1"], Float[ndarray, "n-1"]]:
    """Times in the middle between successive positions, and the speeds in m/s there."""
    return (times_s[1:] + times_s[:-1]) / 2, distances_m(lat_deg, lon_deg) / np.diff(times_s)
