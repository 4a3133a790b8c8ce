"""The program that measures live input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import live


@pytest.mark.slow
def test_a_stream_is_served_watched_and_measured(moving_model: Path, tmp_path: Path) -> None:
    words = ["--minutes", "0.1", "--look-every", "0.5", "--rate", "10", "--steady", "--record", "--device", "cpu"]
    document = live.main([str(moving_model), *words, "--json", str(tmp_path / "live.json")])
    assert document["figures"]["predicted"] > 3 and document["figures"]["latency_ms"]["p95"] > 0
    assert document["memory"]["max_mb"] > 50 and document["recorded_mb"] > 0
    assert json.loads((tmp_path / "live.json").read_text())["figures"] == document["figures"]


def test_growth_is_the_slope_of_the_second_half() -> None:
    seconds = [float(each) for each in range(0, 600, 10)]
    memory = [500.0 + max(0, 100 - each) + each / 30 for each in seconds]  # it settles first, then grows 2 MB a minute
    assert live.growth_mb_per_minute(seconds, memory) == pytest.approx(2.0)
    assert live.growth_mb_per_minute([0.0, 5.0], [1.0, 2.0]) is None


def test_the_footage_is_cut_into_the_bytes_of_its_frames(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(5):
        Image.new("RGB", (96, 64), (40 * number,) * 3).save(tmp_path / f"{number}.png")
    parts = live.packets(tmp_path, 10)
    assert len(parts) == 5 and all(len(part) % 188 == 0 for part in parts)
