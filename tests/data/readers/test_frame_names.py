"""What names of frames tell: order, numbers, scenes and times."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.readers.frame_names import SCENE_GAP, frame_numbers, name_pattern, natural_key, order_frames

EUROC = tuple(str(1403636579763555584 + 50_000_000 * i - 128 * (i % 2)) for i in range(9))
TUM = ("1305031102.175304", "1305031102.211214", "1305031102.243211", "1305031102.275326", "1305031102.375329")


@pytest.mark.parametrize(
    ("stems", "numbers"),
    [
        (("000005", "000006", "000007"), (5, 6, 7)),
        (("f0", "f5", "f10", "f15"), (0, 1, 2, 3)),
        (("f0", "f5", "f10", "f25", "f30"), (0, 1, 2, 5, 6)),
        (("1", "2", "3", "10"), (1, 2, 3, 10)),
        (("f0", "f5", "f10", "f12", "f17"), (0, 1, 2, 4, 5)),
        (("7",), (0,)),
        (("0001_a", "0002_b", "0004_c"), (1, 2, 4)),
        (("cam000", "cam001", "cam002"), (0, 1, 2)),
        (("\ufeff0001", "0002", "0003"), (1, 2, 3)),
    ],
)
def test_numbers_come_from_the_stems_in_their_commonest_step(stems: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    order = order_frames(stems)
    assert order.numbers == numbers
    assert order.order == tuple(range(len(stems)))


@pytest.mark.parametrize(
    "stems",
    [
        EUROC,
        ("0", "33", "67", "100", "133", "167", "200"),
        tuple(str(1700000000000 + round(i * 1000 / 30)) for i in range(30)),
        tuple(f"{1e9 / 30 * i + 5e14:.0f}" for i in range(30)),
        tuple(f"img_{16 * i + i % 2}" for i in range(20)),
    ],
)
def test_steps_that_differ_by_rounding_are_one_frame(stems: tuple[str, ...]) -> None:
    assert set(np.diff(order_frames(stems).numbers)) == {1}


def test_times_as_stems_are_counted_in_their_typical_step_and_a_pause_stays_a_gap() -> None:
    np.testing.assert_array_equal(np.diff(order_frames(TUM).numbers), [1, 1, 1, 3])
    dropped = EUROC[:3] + EUROC[5:]
    np.testing.assert_array_equal(np.diff(order_frames(dropped).numbers), [1, 1, 3, 1, 1, 1])


@pytest.mark.parametrize(
    ("stems", "lengths"),
    [
        ([f"aachen_{s:06d}_{f:06d}_leftImg8bit" for s in range(3) for f in range(4)], [4, 4, 4]),
        ([f"{side}{f:04d}" for side in ("left", "right") for f in range(1, 6)], [5, 5]),
        ([f"{f:04d}_{side}" for f in range(1, 6) for side in ("left", "right")], [5, 5]),
        ([f"clip{c}-{f}" for c in range(2) for f in (5, 6, 7, 8)], [4, 4]),
        ([f"frame{f}_cam{c}" for f in range(9) for c in range(4)], [9, 9, 9, 9]),
        ([f"{day}_{f}" for day in ("2024-05-01", "2024-05-02") for f in range(7)], [7, 7]),
    ],
)
def test_a_new_scene_begins_where_the_text_or_an_earlier_number_changes(stems: list[str], lengths: list[int]) -> None:
    order = order_frames(stems)
    starts = [0, *np.cumsum(lengths)[:-1].tolist()]
    assert list(order.scenes) == starts
    steps = np.diff(order.numbers)
    assert (steps[np.array(starts[1:]) - 1] >= SCENE_GAP).all()
    assert set(np.delete(steps, np.array(starts[1:]) - 1)) == {1}
    assert sorted(order.order) == list(range(len(stems)))


@pytest.mark.parametrize(
    "stems",
    [
        ("left", "right", "up"),
        ("a1", "b1", "c1"),
        ("a1", "b2", "c"),
        ("1", "1", "2"),
        ("9f3a", "b07c", "77aa", "c0de"),
    ],
)
def test_names_that_tell_nothing_are_taken_in_their_own_order(stems: tuple[str, ...]) -> None:
    order = order_frames(stems)
    assert (order.told, order.numbers, order.times_s) == (False, tuple(range(len(stems))), None)
    assert [stems[i] for i in order.order] == sorted(stems, key=natural_key)


def test_names_that_are_times_give_the_times() -> None:
    times = order_frames(EUROC).times_s
    assert times is not None
    np.testing.assert_allclose(times, [int(name) / 10**9 for name in EUROC], rtol=0, atol=1e-9)
    assert order_frames(TUM).times_s == tuple(map(float, TUM))
    assert order_frames(("1", "2", "3")).times_s is None


def test_numbers_stay_within_what_a_store_can_hold() -> None:
    numbers = order_frames([f"{10**200 + i}" for i in range(5)]).numbers
    assert numbers == (0, 1, 2, 3, 4)
    wide = order_frames(["0", "1", "2", f"{10**200}"]).numbers
    assert max(wide) < 2**53


def test_the_camera_may_waver_where_names_are_times_and_not_where_they_count() -> None:
    steps = (0, 100, 230, 300, 420, 500)
    assert np.diff(frame_numbers([step * 10**6 for step in steps], timed=True)).tolist() == [1] * 5
    assert np.diff(frame_numbers((0, 10, 20, 30, 37, 47))).tolist() == [1, 1, 1, 2, 1]


def test_a_pattern_is_the_text_around_the_numbers() -> None:
    assert name_pattern("Frame0001_left") == name_pattern("frame2_left") != name_pattern("frame2_right")
