"""The program that measures how soon depth appears."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import start


@pytest.mark.slow
def test_every_start_is_trained_from_every_seed_and_drawn(tmp_path: Path) -> None:
    words = ["--steps", "2", "--look-every", "1", "--seeds", "0", "1", "--frames", "36", "--scratch"]
    document = start.main([*words, "--json", str(tmp_path / "start.json"), "--plot", str(tmp_path / "start.png")])
    assert set(document["curves"]) == set(start.STARTS)
    for by_seed in document["curves"].values():
        assert all(each["steps"] == [1, 2] for each in by_seed.values())
    assert json.loads((tmp_path / "start.json").read_text())["arguments"]["steps"] == "2"
    assert (tmp_path / "start.png").stat().st_size > 1000


def test_the_table_has_mean_and_spread_of_each_start() -> None:
    curves = {
        name: {0: {"steps": [10], "abs_rel": [0.2]}, 1: {"steps": [10], "abs_rel": [0.4]}} for name in start.STARTS
    }
    assert start.table({"curves": curves}).splitlines() == [
        "| after step | 10 |",
        "|---|---|",
        "| full objective at once | 0.300 ± 0.141 |",
        "| motion first | 0.300 ± 0.141 |",
        "| motion first and aligned | 0.300 ± 0.141 |",
    ]
