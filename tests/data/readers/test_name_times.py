"""Names that spell a time out: which part of them is the time, and the scenes that it tells."""

from __future__ import annotations

import calendar

import numpy as np
import pytest

from selfdepth.data.readers.name_times import read_times


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
    (run,) = read_times(stems) or []
    assert (run.timed, run.indices) == (True, tuple(range(len(stems))))
    np.testing.assert_allclose(np.array(run.values) / 1e9, seconds, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "stems",
    [
        ("1.1", "1.10", "1.2"),
        ("20240101_120000_001", "20240101_120000_002"),
        ("20241399_120000", "20241399_120001"),
        ("frame1", "frame2"),
        ("1403636579_1", "1403636579_2"),
        ("sh010.1001", "sh010.1002", "sh010.1003"),
        ("sh010.1001", "sh010.1006", "sh010.1011"),
        ("000012", "000013", "000014"),
        ("01_02_03", "01_02_04", "01_02_05"),
        ("20240229-0015", "20240229-0030", "20240229-0045"),
        ("20240229_000012", "20240229_000013", "20240229_000014"),
        ("20240229_123015_000", "20240229_123015_005", "20240229_123015_010"),
        ("1403636579_000", "1403636579_005", "1403636579_010"),
        ("only", "text"),
        ("0.5",),
    ],
)
def test_versions_counters_and_impossible_dates_are_no_times(stems: tuple[str, ...]) -> None:
    assert read_times(stems) is None


def test_zeros_that_were_left_out_are_put_back_where_the_steps_become_even() -> None:
    trailing = [f"{1 + i / 20:.2f}".rstrip("0").rstrip(".") + ("" if i % 20 else ".0") for i in range(30)]
    leading = [f"{1403636579 + i // 20}.{i % 20 * 50_000_000}" for i in range(30)]
    for stems in (trailing, leading):
        (run,) = read_times(stems) or []
        assert set(np.diff(run.values)) == {50_000_000}


def test_photos_a_while_apart_have_the_times_of_their_names() -> None:
    stems = ["20240229_123015123", "20240229_123101500", "20240229_123359001", "20240229_235959999"]
    expected = [15.123, 61.5, 239.001, 41399.999]
    for gap in ("", "_"):
        (run,) = read_times([f"{stem[:15]}{gap}{stem[15:]}" for stem in stems]) or []
        np.testing.assert_allclose(np.array(run.values) / 1e9 % 86400 - 45000, expected, rtol=0, atol=1e-6)


def test_a_number_before_the_time_that_restarts_it_tells_scenes_apart() -> None:
    stems = [f"run{run}_{i / 30:.3f}" for run in (1, 2) for i in range(40)]
    first, second = read_times(stems) or []
    assert first.indices == tuple(range(40))
    assert first.values == second.values


def test_a_time_that_is_sure_may_have_any_number_beside_it() -> None:
    stems = [f"e{i * 7 % 5}_{1403636579763555584 + i * 50_000_000}_g{i * 3 % 7}" for i in range(5)]
    (run,) = read_times(stems) or []
    assert run.indices == (0, 1, 2, 3, 4)


def test_frames_that_share_a_time_are_counted_and_a_pause_begins_a_scene() -> None:
    stems = [f"20240229_12{minute}{i // 10:02d}_{100 * minute + i:04d}" for minute in (10, 30) for i in range(40)]
    first, second = read_times(stems) or []
    assert (first.timed, second.timed) == (False, False)
    assert first.values == tuple(range(1000, 1040))
    assert second.indices == tuple(range(40, 80))
