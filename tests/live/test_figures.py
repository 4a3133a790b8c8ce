"""Latencies as a histogram, and the figures of a run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from selfdepth.live.figures import Figures, Latencies, describe_figures


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.99, 1.0])
def test_quantiles_are_those_of_all_values_to_one_per_cent(share: float) -> None:
    values = np.random.default_rng(0).lognormal(-3.5, 0.8, 3001)
    latencies = Latencies()
    for value in values:
        latencies.add(float(value))
    assert latencies.quantile(share) == pytest.approx(np.quantile(values, share, method="inverted_cdf"), rel=0.011)


def test_memory_does_not_grow_with_the_number_of_latencies() -> None:
    latencies = Latencies()
    before = latencies._counts.nbytes
    for value in (0.0, 1e-9, 0.03, 1e9):  # below and above all bins, too
        for _ in range(100):
            latencies.add(value)
    assert latencies._counts.nbytes == before and latencies._counts.sum() == 400
    assert latencies.quantile(1.0) <= latencies.longest_s == 1e9  # type: ignore[operator]


def test_of_nothing_there_is_no_quantile() -> None:
    assert Latencies().quantile(0.5) is None


def test_frames_that_were_not_predicted_were_dropped() -> None:
    figures = Figures()
    for arrived, now_s in ((1, 10.1), (4, 10.4), (6, 10.6)):
        figures.add(arrived=arrived, latency_s=0.1, now_s=now_s)
    found = figures.snapshot()
    assert (found["frames"], found["predicted"], found["dropped"]) == (6, 3, 3)
    assert found["seconds"] == pytest.approx(0.6) and found["rate"] == pytest.approx(5.0)
    assert found["latency_ms"]["p50"] == pytest.approx(100, rel=0.011)
    sentence = describe_figures(found)
    assert "3 of 6 frames" in sentence and "3 dropped" in sentence and "p95" in sentence


def test_before_the_first_frame_the_figures_are_json_all_the_same() -> None:
    found = Figures().snapshot()
    assert json.loads(json.dumps(found, allow_nan=False))["latency_ms"] == {"p50": None, "p95": None, "max": None}
    assert describe_figures(found) == "no frame was predicted"
