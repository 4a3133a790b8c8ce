"""What names of frames tell: order, numbers, scenes and times."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from selfdepth.data.readers.frame_names import (
    SCENE_GAP,
    FrameOrder,
    frame_numbers,
    name_pattern,
    name_patterns,
    natural_key,
    order_frames,
)

EUROC = tuple(str(1403636579763555584 + 50_000_000 * i - 128 * (i % 2)) for i in range(9))
TUM = ("1305031102.175304", "1305031102.211214", "1305031102.243211", "1305031102.275326", "1305031102.375329")

START = datetime(2023, 1, 1, 12, 30, 15, 100000)
EPOCH_S = 1403636579.7635


def clock(time_s: float, text: str) -> str:
    """A name for this time after noon; %L are its milliseconds."""
    time = START + timedelta(seconds=time_s)
    return time.strftime(text.replace("%L", f"{time.microsecond // 1000:03d}"))


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


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        (lambda t, i: f"frame_{t:.3f}", 30),
        (lambda t, i: f"t{t + 12.3:.3f}s", 30),
        (lambda t, i: f"{t:.3f}".replace(".", ","), 30),
        (lambda t, i: str(round(t, 2)), 20),
        (lambda t, i: f"t{t:g}s", 20),
        (lambda t, i: (START + timedelta(seconds=t + 0.9)).isoformat(), 10),
        (lambda t, i: str(round(1305031102.175304 + t, 6)), 30),
        (lambda t, i: f"{EPOCH_S + t:.6f}_left", 30),
        (lambda t, i: f"{EPOCH_S + t:.6f}_1920x1080", 30),
        (lambda t, i: f"{i:04d}_{EPOCH_S + t:.6f}", 30),
        (lambda t, i: f"{EPOCH_S + t:.6f}_{i}", 30),
        (lambda t, i: f"{(EPOCH_S + t) * 1e6:.0f}_exp{i * 7 % 11}", 30),
        (lambda t, i: f"{int(EPOCH_S + t)}_{int((EPOCH_S + t) % 1 * 1000):03d}", 30),
        (lambda t, i: f"{int(EPOCH_S + t)}_{int((EPOCH_S + t) % 1 * 1000)}", 10),
        (lambda t, i: f"{1403636579 + (i + 7) // 20}.{(i + 7) % 20 * 50_000_000}", 20),
        (lambda t, i: clock(t, "%H-%M-%S.%L"), 30),
        (lambda t, i: clock(t, "%H_%M_%S_%L"), 30),
        (lambda t, i: clock(t, "%H_%M_%S_%L_cam0"), 1),
        (lambda t, i: clock(t, "%H-%M-%S"), 1),
        (lambda t, i: clock(t, "%Hh%Mm%Ss"), 1),
        (lambda t, i: clock(t, "%H%M%S"), 0.5),
        (lambda t, i: clock(t + 43, "%H%M%S.%f"), 30),
        (lambda t, i: clock(t + 43, "%M-%S.%f"), 30),
        (lambda t, i: clock(t, "%Mm%S.%Ls"), 30),
        (lambda t, i: f"{int(t)}s{int(t % 1 * 1000):03d}", 30),
        (lambda t, i: clock(t, "%y%m%d_%H%M%S_%f"), 30),
        (lambda t, i: clock(t, "%Y-%m-%dT%H-%M-%S.%f+0100"), 30),
        (lambda t, i: clock(t, "%Y-%m-%dT%H-%M-%S.%f_cam0"), 30),
        (lambda t, i: clock(t, "%Y%m%d_%H%M%S_%f_front"), 30),
        (lambda t, i: clock(t, "%Y%m%d%H%M%S%L"), 30),
        (lambda t, i: clock(t, f"%Y%m%d_%H%M%S_{i:04d}"), 1),
        (lambda t, i: clock(t, "vlcsnap-%Y-%m-%d-%Hh%Mm%Ss%L"), 30),
        (lambda t, i: clock(t + 1750, "Screenshot %Y-%m-%d at %I.%M.%S %p"), 1),
        (lambda t, i: clock(t, "%M:%S"), 1),
        (lambda t, i: clock(t, "%Y%m%d_%H%M%S_%f7"), 30),
        (lambda t, i: clock(t, "%Y%m%d_%H%M%S_%L0"), 20),
        (lambda t, i: clock(t, "%Y-%m-%d_%H-%M"), 1 / 60),
        (lambda t, i: clock(t, "%Y%m%d"), 1 / 86400),
        (lambda t, i: clock(t + 41400, "%Y%m%d-%H%M%S.%f"), 30),
        (lambda t, i: f"01_00_{5 + i // 30:02d}_{i % 30:02d}", 30),
        (lambda t, i: f"A;01;00;{5 + i // 25:02d};{i % 25:02d}_v2", 25),
        (lambda t, i: f"20230101_1230{15 + i // 30:02d}_{i % 30 + 1:02d}", 30),
        (lambda t, i: f"frame_{t * 1000:.0f}ms", 25),
        (lambda t, i: f"t={t * 1e6:.0f}us", 30),
        (lambda t, i: f"{1_000_000 * i}", 1),
    ],
)
def test_a_time_may_be_written_in_any_way_with_anything_constant_around(
    name: Callable[[float, int], str], rate: float
) -> None:
    times_s = np.arange(90) / rate
    stems = [name(time_s, i) for i, time_s in enumerate(times_s)]
    order = order_shuffled(stems)
    assert order.told
    assert [len(set(np.diff(order.numbers))), order.scenes] == [1, (0,)]
    assert order.times_s is not None
    np.testing.assert_allclose(np.array(order.times_s) - order.times_s[0], times_s, rtol=0, atol=1.1e-3)


@pytest.mark.parametrize(
    "name",
    [
        *(lambda t, i, w=width: clock(t, f"%Y%m%d_%H%M%S_{i + 7:0{w}d}") for width in (1, 3, 4, 6)),
        lambda t, i: clock(t, f"%Y%m%d_%H%M%S_{5 * i:03d}"),
        lambda t, i: clock(t, f"%H_%M_%S_{i:04d}_left"),
        lambda t, i: clock(t, f"%H%M%S_{i:04d}"),
        lambda t, i: clock(30 * t, f"%Y%m%d_%H%M_{i:04d}"),
        lambda t, i: f"{int(EPOCH_S + t)}_{i:04d}",
        lambda t, i: f"{i + 9:04x}",
        lambda t, i: f"cam0_{16 * i + 9:04X}_left",
    ],
)
def test_a_counter_that_runs_on_beside_a_clock_or_in_base_16_counts_one_scene(
    name: Callable[[float, int], str],
) -> None:
    order = order_shuffled([name(i / 30, i) for i in range(90)])
    assert (order.told, order.scenes, order.times_s) == (True, (0,), None)
    assert set(np.diff(order.numbers)) == {1}


@pytest.mark.parametrize(
    "name",
    [
        lambda s, i: f"{s}.{i + 1}",
        lambda s, i: f"{s}.{i + 1:02d}",
        lambda s, i: f"{s}.{5 * i:03d}",
        lambda s, i: f"{s:04d}_{5 * i:03d}",
        lambda s, i: f"s{s:06d}_{i:06d}",
        lambda s, i: f"01_{s:02d}_{i:02d}",
        lambda s, i: f"01_02_{s:02d}_{i:04d}",
        lambda s, i: f"scene{s}_frame{i + 40 * s:05d}",
        lambda s, i: f"2024050{s}_{i:04d}",
        *(lambda s, i, w=width: f"20230101_12{10 * s}15_{5 * i:0{w}d}" for width in (1, 3, 4, 6)),
        lambda s, i: f"20230101_12{10 * s}15_{i + 40 * s:04d}",
        lambda s, i: f"{1403636579 + 1000 * s}_{i + 1:03d}",
        lambda s, i: clock(1000 * s + i / 30, "%Y%m%d_%H%M%S_%f"),
        lambda s, i: clock(1000 * s + i / 10, f"%Y%m%d_%H%M%S_{i:04d}"),
        lambda s, i: f"rec{s}_{i / 30:.3f}",
        lambda s, i: clock(100 * s + i / 30, f"rec{s}_%H-%M-%S-%f"),
        lambda s, i: clock(1000 * s, "n015-%Y-%m-%d-%H-%M-%S+0800__CAM__") + f"{10**15 + 10**10 * s + 83333 * i}",
        lambda s, i: f"cam{s}-{1403636579763555584 + 50_000_000 * i + s}",
        lambda s, i: f"{EPOCH_S + i / 30:.6f}_{'abc'[s - 1]}",
    ],
)
def test_scenes_stay_apart(name: Callable[[int, int], str]) -> None:
    order = order_shuffled([name(scene, i) for scene in (1, 2, 3) for i in range(40)])
    steps = np.diff(order.numbers)
    assert order.told
    assert np.flatnonzero(steps >= SCENE_GAP).tolist() == [39, 79]
    assert set(np.delete(steps, [39, 79])) == {1}


@pytest.mark.parametrize(
    "name",
    [
        lambda t: clock(30 * t, "%H-%M-%S"),
        lambda t: clock(t, "%H_%M_%S_%L"),
        lambda t: f"{int(EPOCH_S + t)}_{int((EPOCH_S + t) % 1 * 1000):03d}",
        lambda t: f"t{t:.3f}",
        lambda t: clock(t, f"%Y%m%d_%H%M%S_{30 * t:04.0f}"),
    ],
)
def test_frames_that_are_missing_leave_gaps_in_one_scene(name: Callable[[float], str]) -> None:
    kept = [i for i in range(300) if random.Random(i).random() > 0.2]
    order = order_shuffled([name(i / 30) for i in kept])
    assert order.scenes == (0,)
    assert np.diff(order.numbers).tolist() == np.diff(kept).tolist()


def test_cameras_that_recorded_at_once_follow_each_other_at_their_rate() -> None:
    stems = [f"cam{c}-{1403636579763555584 + 50_000_000 * i}" for c in range(3) for i in range(40)]
    times_s = order_frames(stems).times_s
    assert times_s is not None
    np.testing.assert_allclose(np.diff(times_s), 0.05, rtol=0, atol=1e-6)


def test_the_unit_is_said_where_only_the_steps_tell_it() -> None:
    assert order_frames([f"{1_000_000 * i}" for i in range(9)]).guessed == "microseconds"
    assert order_frames([f"{50_000_000 * i}" for i in range(9)]).guessed == "nanoseconds"
    assert order_frames(EUROC).guessed is order_frames(("1", "2", "3")).guessed is None


def test_hashes_in_base_16_tell_nothing() -> None:
    generator = random.Random(0)
    assert not order_frames([f"{generator.randrange(16**8):08x}" for _ in range(40)]).told


def order_shuffled(stems: list[str]) -> FrameOrder:
    """The order of stems that are given in another one; it must be the given order."""
    places = list(range(len(stems)))
    random.Random(0).shuffle(places)
    order = order_frames([stems[place] for place in places])
    assert [places[i] for i in order.order] == list(range(len(stems)))
    return order


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
    assert len(set(name_patterns(("t0.95s", "t1s", "t1.05s")))) == 1
    assert len(set(name_patterns(("t0.95s", "t1", "t1.05s")))) == 2
