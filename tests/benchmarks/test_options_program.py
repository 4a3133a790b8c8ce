"""The program that measures what the options after the paper gain."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import options


@pytest.mark.slow
def test_every_option_is_trained_and_evaluated(tmp_path: Path) -> None:
    document = options.main(["--tiny", "--steps", "1", "--seeds", "0", "--json", str(tmp_path / "options.json")])
    assert set(document["options"]) == {*options.OPTIONS, *options.AFTERWARDS}
    for option, by_seed in document["options"].items():
        assert all(by_seed[0][name] > 0 for name in (*options.COLUMNS, "ms_per_step")), option
    assert document["options"]["--self-teacher"][0]["ause"] > 0
    assert json.loads((tmp_path / "options.json").read_text())["steps"] == 1


def test_the_teacher_knows_disparity_up_to_a_scale_and_a_shift_of_each_frame() -> None:
    depth = np.linspace(4, 40, 32 * 64).reshape(32, 64)
    rng = np.random.default_rng(0)
    first, second = (options.degraded(depth, rng).astype(np.float64) for _ in range(2))
    true = (1 / depth).reshape(8, 4, 16, 4).mean((1, 3))
    for taught in (first, second):
        assert taught.min() >= 1 and taught.max() <= 65535
        assert np.corrcoef(taught.ravel(), true.ravel())[0, 1] > 0.99
    slopes = [np.polyfit(true.ravel(), taught.ravel(), 1) for taught in (first, second)]
    assert abs(slopes[0][0] / slopes[1][0] - 1) > 0.1 and abs(slopes[0][1] - slopes[1][1]) > 500


def test_bad_conditions_change_every_frame_and_are_the_same_each_time() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 64, 3), dtype=np.uint8)
    once, again = options.bad_conditions(images), options.bad_conditions(images)
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    assert all((a != image).mean() > 0.5 for a, image in zip(once, images, strict=True))


def test_the_table_has_mean_and_spread_of_each_option() -> None:
    def run(error: float) -> dict[str, float]:
        errors = dict.fromkeys(options.COLUMNS, error)
        return {"minutes": 1.0, "ms_per_step": 200.0, "ause": error, "aurg": error, **errors}

    rows = {name: {0: run(0.2), 1: run(0.4)} for name in options.OPTIONS | options.AFTERWARDS}
    lines = options.table({"options": rows, "constant_abs_rel": {0: 0.5, 1: 0.5}}).splitlines()
    assert len(lines) == 2 + len(rows) + 3
    assert lines[2] == ("| none | 1.0 | 200 | 0.300 ± 0.141 | 0.300 ± 0.141 | 0.30 ± 0.14 | 0.3000 ± 0.1414 |")
    assert lines[-1] == ("Confidence of --self-teacher, by abs_rel: AUSE 0.3000 ± 0.1414 and AURG 0.3000 ± 0.1414.")
