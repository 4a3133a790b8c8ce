"""When a learned focal length may be called known: synthetic drives, courses and errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from selfdepth.engine.camera_verdict import MOST, STEPS, Verdict, judge, minimum

FOCAL = 370.0


def errors(smallest_at: float = 0.0, *, noise: float = 0.0, windows: int = 32) -> np.ndarray:
    """Errors that grow with the square of the distance, each window's from a place of its own."""
    rng = np.random.default_rng(1)
    places = smallest_at + noise * rng.standard_normal((windows, 1))
    return np.asarray(0.1 + 0.2 * (np.array(STEPS) - places) ** 2)


def verdict(**changes: Any) -> Verdict:
    values = {"course": [FOCAL, 1.004 * FOCAL] * 5, "errors": errors(noise=0.02), "turn_rad": 0.1}
    return judge(**{**values, **changes})


def test_a_drive_with_bends_a_course_at_rest_and_a_sharp_minimum_is_known() -> None:
    found = verdict()
    assert found.is_known and found.reason == ""
    assert 0.003 < found.uncertainty < 0.1
    assert str(found).startswith("known to +-")


def test_the_minimum_is_found_between_the_steps_with_twice_its_standard_deviation() -> None:
    place, sharpness = minimum(errors(0.137, noise=0.08, windows=64))
    assert place == pytest.approx(0.137, abs=0.03)
    assert sharpness == pytest.approx(2 * 0.08 / 8, rel=0.5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"course": np.linspace(1.5 * FOCAL, FOCAL, 20).tolist()}, "still moved by .* train for longer"),
        ({"course": [FOCAL]}, "still moved by"),
        ({"course": []}, "still moved by"),
        ({"errors": errors(0.25, noise=0.02)}, "explained best by one that is 25 % away, .* not learned yet"),
        ({"errors": errors(2.0)}, "does not determine it: .* any more or less"),
        ({"errors": errors(noise=1.0), "turn_rad": 0.02}, "turns by 1.1 degrees .* add footage with bends"),
        ({"errors": errors(windows=1)}, "does not determine it"),
        ({"errors": np.zeros((0, len(STEPS))), "turn_rad": 0.0}, "does not determine it"),
    ],
)
def test_what_the_footage_does_not_determine_is_not_known_and_it_is_said_why(
    changes: dict[str, Any], reason: str
) -> None:
    found = verdict(**changes)
    assert not found.is_known and found.uncertainty > MOST
    assert re.search(reason, str(found)) and str(found).startswith("NOT known: ")


def test_errors_that_are_the_same_everywhere_determine_nothing() -> None:
    rng = np.random.default_rng(2)
    flat = 0.1 + 1e-6 * rng.standard_normal((32, len(STEPS)))
    assert not verdict(errors=flat).is_known
