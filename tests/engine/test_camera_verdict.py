"""When a learned focal length may be called known: synthetic drives, courses and errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from selfdepth.engine.camera_verdict import MOST, STEPS, VISIBLE, Verdict, judge

SIZE, FOCAL = (640, 192), 370.0
BENDS = np.tile([0.004, 0.04], (32, 1))


def errors(smallest_at: float = 0.0, *, noise: float = 0.0, clips: int = 32) -> np.ndarray:
    """Errors that grow with the square of the distance, each clip's from a place of its own."""
    rng = np.random.default_rng(1)
    places = smallest_at + noise * rng.standard_normal((clips, 1))
    return np.asarray(0.1 + 0.2 * (np.array(STEPS) - places) ** 2)


def verdict(**changes: Any) -> Verdict:
    values = {"course": [FOCAL, 1.004 * FOCAL] * 5, "errors": errors(noise=0.02), "turns_rad": BENDS}
    return judge(**{**values, "focal_px": FOCAL, "size": SIZE, **changes})


def test_a_drive_with_bends_a_course_at_rest_and_a_sharp_minimum_is_known() -> None:
    found = verdict()
    assert found.is_known and found.reason == ""
    assert 0.01 < found.uncertainty < 0.1
    assert str(found).startswith("known to +-")


def test_the_criterion_of_the_turns_is_gordons() -> None:
    turns = np.zeros((4, 2))
    turns[:, 1] = [0.0, 0.02, 0.0, -0.02]
    expected = VISIBLE * 2 * FOCAL / (SIZE[0] * np.sqrt(np.mean(turns[:, 1] ** 2)))
    assert verdict(turns_rad=turns).turns == pytest.approx(expected)
    up = turns[:, ::-1].copy()
    assert verdict(turns_rad=up).turns == pytest.approx(expected * (SIZE[0] / SIZE[1]) ** 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"turns_rad": BENDS / 200}, "cannot be known from this footage, which turns too little"),
        ({"turns_rad": np.zeros((32, 2))}, "turns too little .* any more or less would look the same"),
        ({"turns_rad": np.zeros((0, 2)), "errors": np.zeros((0, len(STEPS)))}, "turns too little"),
        ({"course": np.linspace(1.5 * FOCAL, FOCAL, 20).tolist()}, "still moved by .* train for longer"),
        ({"course": [FOCAL]}, "still moved by"),
        ({"course": []}, "still moved by"),
        ({"errors": errors(0.25, noise=0.02)}, "explained best by one that is 25 % away, .* not learned yet"),
        ({"errors": errors(2.0)}, "explained best by one that is 80 % away"),
        ({"errors": errors(noise=1.0)}, "as well by others"),
        ({"errors": errors(clips=1)}, "as well by others"),
    ],
)
def test_what_the_footage_does_not_determine_is_not_known_and_it_is_said_why(
    changes: dict[str, Any], reason: str
) -> None:
    found = verdict(**changes)
    assert not found.is_known and found.uncertainty > MOST
    assert re.search(reason, str(found)) and str(found).startswith("NOT known: ")


def test_a_straight_drive_is_not_known_however_still_and_sharp_the_rest() -> None:
    jitter = 1e-4 * np.random.default_rng(0).standard_normal((32, 2))
    assert not verdict(turns_rad=jitter, course=[FOCAL] * 9, errors=errors()).is_known


def test_errors_that_are_the_same_everywhere_determine_nothing() -> None:
    rng = np.random.default_rng(2)
    flat = 0.1 + 1e-6 * rng.standard_normal((32, len(STEPS)))
    assert not verdict(errors=flat).is_known
