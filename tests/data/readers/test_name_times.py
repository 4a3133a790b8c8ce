"""Times in names: which names are times, and in which unit."""

from __future__ import annotations

import calendar

import numpy as np
import pytest

from selfdepth.data.readers.name_times import guess_times_ns, names_as_times_ns

START_S = 1403636579


@pytest.mark.parametrize(("unit_ns", "per_second"), [(1, 10**9), (10**3, 10**6), (10**6, 10**3), (10**9, 1)])
def test_seconds_since_1970_are_known_by_their_size_in_every_unit(unit_ns: int, per_second: int) -> None:
    step = max(1, per_second // 20)
    assert guess_times_ns([START_S * per_second + i * step for i in range(9)]) == unit_ns


@pytest.mark.parametrize(
    ("values", "unit_ns"),
    [
        (range(0, 500_000_000, 50_000_000), 1),
        (range(0, 333_333, 33_333), 1000),
        ((0, 33, 67, 100, 133, 167), 10**6),
        ((0, 66, 133, 200, 266, 333), 10**6),
        (range(0, 50, 5), None),
        (range(9), None),
        ((0, 5, 10, 25, 30), None),
        ((1, 2, 3, 10), None),
        ((7,), None),
    ],
)
def test_other_numbers_are_times_by_their_steps(values: tuple[int, ...], unit_ns: int | None) -> None:
    assert guess_times_ns(list(values)) == unit_ns


@pytest.mark.parametrize(
    ("stems", "seconds"),
    [
        (("1305031102.175304", "1305031102.211214"), (1305031102.175304, 1305031102.211214)),
        (("rgb_1305031102.175304", "rgb_1305031102.211214"), (1305031102.175304, 1305031102.211214)),
        (("0.00", "0.04", "0.08"), (0, 0.04, 0.08)),
        (("1403636579_763555584", "1403636579_813555584"), (1403636579.763555584, 1403636579.813555584)),
        (("1403636579_99000000", "1403636579_149000000"), (1403636579.099, 1403636579.149)),
        (("1403636579-763555", "1403636579-813555"), (1403636579.763555, 1403636579.813555)),
        (
            ("20240229_235959.9", "20240301_000000.0"),
            (calendar.timegm((2024, 2, 29, 23, 59, 59)) + 0.9, calendar.timegm((2024, 3, 1, 0, 0, 0))),
        ),
        (
            ("2024-02-29-23-59-59-900000", "2024-03-01-00-00-00-000000"),
            (calendar.timegm((2024, 2, 29, 23, 59, 59)) + 0.9, calendar.timegm((2024, 3, 1, 0, 0, 0))),
        ),
    ],
)
def test_times_that_are_spelled_out_are_read(stems: tuple[str, ...], seconds: tuple[float, ...]) -> None:
    times_ns = names_as_times_ns(stems)
    assert times_ns is not None
    np.testing.assert_allclose(np.array(times_ns) / 1e9, seconds, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "stems",
    [
        ("1.1", "1.10", "1.2"),
        ("20240101_120000_001", "20240101_120000_002"),
        ("20241399_120000", "20241399_120001"),
        ("frame1", "frame2"),
        ("1403636579_1", "1403636579_2"),
    ],
)
def test_versions_counters_and_impossible_dates_are_no_times(stems: tuple[str, ...]) -> None:
    assert names_as_times_ns(stems) is None
