"""The request of a comparison."""

from __future__ import annotations

from selfdepth.comparison.request import CompareRequest
from selfdepth.evaluation.depth.compare import ComparisonOptions


def test_what_is_not_said_is_the_default_of_evaluate_depth() -> None:
    request = CompareRequest(models=("a",), data="d")
    assert request.options == ComparisonOptions() and request.predictions_are == () and request.motion_from is None
