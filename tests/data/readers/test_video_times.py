"""Times and numbers of the frames of videos, from what their packets state."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from selfdepth.data.frames import find_gaps
from selfdepth.data.readers.frame_names import SCENE_GAP
from selfdepth.data.readers.video_times import Timeline, timeline
from selfdepth.errors import SelfDepthWarning

PATH = Path("drive.mkv")


@pytest.fixture(autouse=True)
def _nothing_is_said_unasked() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _timeline(*recordings: Sequence[float | None], stated_fps: float = 10.0, start_s: float = 0.0) -> Timeline:
    return timeline(recordings, stated_fps=stated_fps, start_s=start_s, path=PATH)


def _at(*steps_s: float) -> list[float]:
    return list(itertools.accumulate(steps_s, initial=0.0))


def test_frames_are_in_the_order_of_their_times_from_the_start_of_the_file() -> None:
    shown = _timeline([1.4, 1.7, 1.5, 1.6], start_s=1.4)
    assert shown.times_s == pytest.approx((0.0, 0.1, 0.2, 0.3))
    assert (shown.numbers, shown.fps) == ((0, 1, 2, 3), 10.0)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.0, 0.1, 0.2, 0.2, 0.4], (0.0, 0.1, 0.2, 0.3, 0.4)),
        ([0.0, 0.1, 0.2, 0.2, 0.3], (0.0, 0.1, 0.2, 0.25, 0.3)),
        ([0.0, 0.1, 0.2, 0.2, 9.0, 9.1], (0.0, 0.1, 0.2, 0.3, 9.0, 9.1)),  # not far into a hole
        ([0.0, 0.1, 0.2, 0.2], (0.0, 0.1, 0.2, 0.3)),
        ([0.0, 0.0, 0.0], (0.0, 0.1, 0.2)),
        ([3.0], (3.0,)),
    ],
)
def test_equal_times_are_spread_until_the_next(times: list[float], expected: tuple[float, ...]) -> None:
    assert _timeline(times).times_s == pytest.approx(expected)


@pytest.mark.parametrize(
    ("steps", "gaps"),
    [
        ([0.1] * 10 + [0.4] + [0.1] * 10, ()),
        ([0.1] * 10 + [0.6] + [0.1] * 10, ((10, 16),)),
        ([0.033, 0.034] * 8 + [5.0] + [0.033, 0.034] * 8, ((16, 165),)),
        ([0.1] * 10 + [1e7] + [0.1] * 10, ((10, 10 + SCENE_GAP),)),
        ([0.1] * 5 + [2.0, 0.1, 2.0, 0.1, 2.0] + [0.1] * 5, ((5, 25), (26, 46), (47, 67))),
        ([0.033] * 30 + [1.0] * 30, ()),  # a lapse of time from there on
        ([1.0] * 30 + [0.033] * 30, ()),
        ([0.1, 3.0, 0.1], ()),  # too few to tell
        ([0.01, 0.9, 0.2, 0.05, 0.4, 0.8, 0.03, 0.6, 0.3, 0.7], ()),
    ],
)
def test_a_step_far_beyond_those_around_it_is_a_gap(steps: list[float], gaps: tuple[tuple[int, int], ...]) -> None:
    assert find_gaps(_timeline(_at(*steps)).numbers) == gaps


def test_a_rate_that_the_times_deny_is_not_believed() -> None:
    times = _at(*[0.1] * 30)
    assert _timeline(times, stated_fps=1000.0).fps == pytest.approx(10)
    assert _timeline(times, stated_fps=0.0).fps == pytest.approx(10)
    assert _timeline(times, stated_fps=9.99).fps == 9.99
    paused = _at(*[0.1] * 30, 60.0, *[0.1] * 30)
    assert _timeline(paused, stated_fps=10.0).fps == 10.0


def test_recordings_that_were_joined_follow_each_other() -> None:
    with pytest.warns(SelfDepthWarning, match=r"drive\.mkv jumps back at frame 3 and 1 more times, .*-c copy OUT\.mp4"):
        shown = _timeline([5.0, 5.1, 5.2], [1.0, 1.1], [0.0, 0.1], start_s=5.0)
    assert shown.times_s == pytest.approx((0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    assert find_gaps(shown.numbers) == ((2, 2 + SCENE_GAP), (3 + SCENE_GAP, 3 + 2 * SCENE_GAP))


def test_a_stream_without_times_has_those_of_its_rate_and_some_missing_times_are_said() -> None:
    assert _timeline([None] * 3).times_s == pytest.approx((0.0, 0.1, 0.2))
    assert _timeline([None] * 3, stated_fps=0.0).times_s is None
    with pytest.warns(
        SelfDepthWarning, match=r"drive\.mkv states no time for 1 of its 4 frames: all are .* 1/10 s apart"
    ):
        shown = _timeline([0.0, None, 0.7, 0.8])
    assert (shown.times_s, shown.numbers) == (pytest.approx((0.0, 0.1, 0.2, 0.3)), (0, 1, 2, 3))
    with pytest.warns(SelfDepthWarning, match="taken to have none"):
        assert _timeline([0.0, None, 0.7], stated_fps=0.0).times_s is None
