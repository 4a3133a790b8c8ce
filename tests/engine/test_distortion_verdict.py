"""When a learned distortion may be called known: synthetic courses, errors and shifts."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from selfdepth.engine.camera_verdict import STEPS
from selfdepth.engine.distortion_verdict import (
    EDGE_PER_STEP,
    MOST,
    VISIBLE,
    DistortionVerdict,
    hidden_share,
    judge_distortion,
)

WIDTH = 640
BY_EDGE = np.array([0.0, 0.0, 0.0, 1.0, 0.2])


def errors(smallest_at: float = 0.0, *, noise: float = 0.0, clips: int = 32) -> np.ndarray:
    """Errors that grow with the square of the distance from a share, each clip's from a place of its own."""
    places = smallest_at + noise * np.random.default_rng(1).standard_normal((clips, 1))
    return np.asarray(0.1 + 0.2 * (EDGE_PER_STEP * np.array(STEPS) - places) ** 2)


def verdict(**changes: Any) -> DistortionVerdict:
    values = {"course": [-0.2, -0.21] * 5, "errors": errors(noise=0.01), "information": 1e3 * np.eye(5)}
    return judge_distortion(**{**values, "by_edge": BY_EDGE, "width": WIDTH, **changes})


def test_a_visible_course_at_rest_and_a_sharp_minimum_are_known() -> None:
    found = verdict()
    assert found.is_known and found.reason == "" and found.edge == -0.21
    assert 0.005 < found.uncertainty < MOST
    assert str(found).startswith("the distortion moves the edge of the image inwards by 21 %, known to +-")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"information": np.eye(5)}, "33 % more or less would look the same, with another depth; add footage"),
        ({"information": np.zeros((5, 5))}, "any more or less would look the same"),
        ({"information": np.diag([0.0, 1, 1, 0, 1e3])}, "any more or less would look the same"),
        ({"course": np.linspace(0.0, -0.2, 20).tolist()}, "still moved by .*10 % .* train for longer"),
        ({"course": [-0.2]}, "still moved by"),
        ({"course": []}, "still moved by"),
        ({"errors": errors(0.07, noise=0.005)}, "explained best by one that is 7 % away, .* not learned yet"),
        ({"errors": errors(noise=0.3)}, "as well by others"),
        ({"errors": errors(clips=1)}, "as well by others"),
    ],
)
def test_what_the_footage_does_not_determine_is_not_known_and_it_is_said_why(
    changes: dict[str, Any], reason: str
) -> None:
    found = verdict(**changes)
    assert not found.is_known and found.uncertainty > MOST
    assert re.search(reason, found.reason) and str(found).endswith(f"NOT known: {found.reason}")


def test_the_hidden_share_is_the_largest_that_stays_invisible() -> None:
    factors = np.random.default_rng(0).standard_normal((20, 5))
    information = factors.T @ factors
    visible = VISIBLE * WIDTH
    hidden = hidden_share(information, BY_EDGE, visible)
    changes = np.random.default_rng(1).standard_normal((20000, 5))
    changes *= visible / np.sqrt(np.einsum("ni,ij,nj->n", changes, information, changes))[:, None]
    assert 0.9 * hidden < np.abs(changes @ BY_EDGE).max() <= hidden + 1e-12


def test_what_moves_nothing_and_not_the_edge_either_hides_nothing() -> None:
    information = np.diag([0.0, 1.0, 1.0, 4.0, 4.0])  # the focal length of a straight drive
    assert hidden_share(information, BY_EDGE, 1.0) == pytest.approx(math.sqrt((1 + 0.04) / 4))
