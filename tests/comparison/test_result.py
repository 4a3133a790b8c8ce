"""The conclusion of a comparison is one sentence that follows from the numbers."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from selfdepth.comparison.result import Comparison, Entry, Errors, conclusion, short_names, too_close


def errors(mean: float, *, noise: float = 0.0, count: int = 20) -> Errors:
    frames = mean + noise * np.random.default_rng(int(1000 * mean)).normal(size=count)
    return Errors(mean=float(frames.mean()), frames=frames)


def entry(name: str, mean: float, *, here: bool = False, noise: float = 0.001) -> Entry:
    values: dict[str, Any] = {"size": (64, 32), "unit": "relative", "ms": 3.0, "bytes": 10, "parameters": None}
    return Entry(name=name, model=name, kind="run", trained_here=here, errors=errors(mean, noise=noise), **values)


def comparison(*entries: Entry) -> Comparison:
    baselines = {"a constant": errors(0.5, noise=0.001), "rows": errors(0.3, noise=0.001)}
    return Comparison(
        entries=entries, baselines=baselines, measure="abs_rel", how=("how",), frames="f", data="d", views=()
    )


CASES = {
    "worse than a baseline": (
        [entry("a", 0.4, here=True)],
        "Train: no model here is better than rows .*0.300.*a, has 0.4",
    ),
    "as good as a baseline": ([entry("a", 0.299, noise=0.1)], "Train: no model here is better than rows"),
    "from elsewhere alone": (
        [entry("a", 0.1), entry("b", 0.2)],
        "a is the best .*0.100, 67% less than rows.*none of .*train if",
    ),
    "from here alone": ([entry("a", 0.1, here=True)], "all of these models were trained on this data"),
    "training paid": ([entry("a", 0.2), entry("b", 0.1, here=True)], "paid .b has 0.100, a has 0.200"),
    "training did not pay": ([entry("a", 0.1), entry("b", 0.2, here=True)], "has not paid .b has 0.200, a has 0.100"),
    "nobody can tell": ([entry("a", 0.1, noise=0.05), entry("b", 0.101, here=True, noise=0.05)], "gained nothing that"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_conclusion_says_whether_to_train(case: str) -> None:
    entries, words = CASES[case]
    sentence = conclusion(comparison(*entries))
    assert re.search(words, sentence), sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_two_are_too_close_unless_the_frames_agree_on_the_difference() -> None:
    a, b = errors(0.2, noise=0.05), errors(0.21, noise=0.05)
    assert too_close(a, b) and too_close(a, a)
    shifted = Errors(mean=a.mean + 0.01, frames=a.frames + 0.01)  # by so little, but on every frame
    assert not too_close(a, shifted)
    assert too_close(errors(0.1, count=1), errors(0.9, count=1)), "one frame tells nothing"


def test_json_has_every_number_and_the_conclusion() -> None:
    done = comparison(entry("b", 0.2), entry("a", 0.1))
    values = json.loads(json.dumps(done.to_json(), allow_nan=False))
    assert [each["name"] for each in values["models"]] == ["b", "a"] and [each.name for each in done.ranked] == [
        "a",
        "b",
    ]
    assert values["conclusion"] == conclusion(done) and set(values["baselines"]) == {"a constant", "rows"}
    assert len(values["models"][0]["per_frame"]) == 20 and values["models"][0]["ms_per_frame"] == 3.0


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["runs/street", "mono_640x192", "nets/m.onnx"], ["street", "mono_640x192", "m.onnx"]),
        (["a/run", "b/run"], ["a/run", "b/run"]),
        (["runs/street/best", "runs/street/last"], ["street/best", "street/last"]),
        (["x/a/m.onnx", "y/a/m.onnx"], ["x/a/m.onnx", "y/a/m.onnx"]),
        (["m"], ["m"]),
    ],
)
def test_a_short_name_is_as_much_of_the_path_as_makes_it_different(models: list[str], names: list[str]) -> None:
    assert short_names(models) == names
