"""The programs that measure: they run, the JSON is what it promises to be, the arithmetic is right. No clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import measuring
import report
import speed
from ceilings import objective_bytes_per_clip, step_gflop_per_clip
from measuring import Setting, in_turns, rate_row, time_row


def measured(tmp_path: Path, *words: str) -> dict[str, Any]:
    """What a try of these measurements writes, after a look at the page that is made of it."""
    file = tmp_path / "results" / "speed.json"
    speed.main(["--quick", "--precision", "fp32", "--no-compile", *words, "--json", str(file)])
    document: dict[str, Any] = json.loads(file.read_text())
    assert {"machine", "versions", "commit", "setting", "ceilings"} <= set(document)
    rows = [row for case in document.values() if isinstance(case, dict) for row in case.get("rows", [])]
    assert rows and all(row["ours"]["low"] <= row["ours"]["median"] <= row["ours"]["high"] for row in rows)
    text = report.main([str(file)]).read_text()
    assert "not a measurement" in text  # tiny sizes must not be taken for results
    assert all(row["what"] in text and row["floor_is"] in text for row in rows)
    return document


@pytest.mark.slow
def test_a_measurement_says_what_machine_and_commit_it_is_of(tmp_path: Path) -> None:
    document = measured(tmp_path, "--only", "objective", "evaluate")
    assert {"objective", "evaluate"} <= set(document) and "train_step" not in document


@pytest.mark.slow
def test_every_measurement_runs(tmp_path: Path) -> None:
    document = measured(tmp_path)
    assert {name.replace("-", "_") for name in speed.CASES} <= set(document)
    for name in ("clips_per_s", "plain_clips_per_s", "ratio_clips_per_s", "peak_mb", "plain_peak_mb"):
        assert document["train_step"][name] > 0, name
    assert document["train_step"]["precision"] == "fp32" and document["train_step"]["compiled"] is False


@pytest.mark.slow
def test_the_two_sides_take_turns() -> None:
    seen: list[str] = []
    sides = {"ours": lambda: seen.append("a"), "plain": lambda: seen.append("b")}
    seconds = in_turns(sides, Setting(rounds=3, round_s=0.0))
    assert "".join(seen) == "ababab"
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_ratios_are_taken_pair_by_pair_and_say_how_many_times_better() -> None:
    seconds = {"ours": [1.0, 2.0, 4.0], "plain": [2.0, 6.0, 4.0]}
    rate = rate_row("clips_per_s", "steps", "clips/s", 8, seconds, floor=8.0, floor_is="at best")
    time = time_row("latency_ms", "waiting", seconds, floor=500.0, floor_is="at best")
    for row in (rate, time):
        assert row.ratio is not None
        assert (row.ratio.median, row.ratio.low, row.ratio.high) == (2.0, 1.0, 3.0)
    assert (rate.ours.median, rate.plain.median) == (4.0, 2.0)  # type: ignore[union-attr]
    assert (time.ours.median, time.plain.median) == (2000.0, 4000.0)  # type: ignore[union-attr]
    assert (rate.share_of_floor, time.share_of_floor) == (0.5, 0.25)


def test_the_arithmetic_of_a_step_is_counted_and_grows_with_the_pixels() -> None:
    assert step_gflop_per_clip(640, 192) == pytest.approx(104, abs=2)
    assert step_gflop_per_clip(320, 96) == pytest.approx(step_gflop_per_clip(640, 192) / 4, rel=0.01)


def test_the_objective_must_move_each_image_and_disparity_twice_and_the_gradients_once() -> None:
    pixels = 64 * 32
    assert objective_bytes_per_clip(64, 32) == 4 * (2 * 9 * pixels + 3 * (1 + 1 / 4 + 1 / 16 + 1 / 64) * pixels)


@pytest.mark.slow
def test_the_peak_of_a_process_is_its_own_and_not_its_parents() -> None:
    code = "import measuring as m; a = m.peak_mb(); block = b'x' * 100_000_000; print(a, m.peak_mb())"
    block = b"x" * 1_000_000_000
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=measuring.BENCHMARKS, capture_output=True, text=True, check=True
    )
    before_mb, after_mb = map(float, done.stdout.split())
    assert after_mb - before_mb > 90
    assert after_mb < len(block) / 1e6


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--precision", "fp8"]])
def test_what_cannot_be_measured_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        speed.main(words)
    assert stop.value.code == 2
    assert words[1] in capsys.readouterr().err
