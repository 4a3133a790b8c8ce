"""The program that measures how well a camera is learned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import learned_camera
from selfdepth.geometry.camera import Camera


@pytest.mark.slow
def test_every_kind_of_drive_is_learned_from_and_drawn(tmp_path: Path) -> None:
    words = ["--steps", "2", "--look-every", "2", "--frames", "12", "--streets", "1"]
    files = ["--json", str(tmp_path / "camera.json"), "--plot", str(tmp_path / "camera.png")]
    document = learned_camera.main([*words, *files])
    for run in document["runs"].values():
        assert run["true_fx"] == pytest.approx(0.58 * 192) and not run["is_known"]
        assert run["error"] == pytest.approx(run["camera"]["fx"] / run["true_fx"] - 1)
    assert set(json.loads((tmp_path / "camera.json").read_text())["runs"]) == {"bends", "straight"}
    assert (tmp_path / "camera.png").stat().st_size > 1000


def test_the_table_says_what_was_learned_and_whether_it_is_known() -> None:
    camera = Camera.from_fov(80.0, width=100, height=50).to_json()
    sentence = "the learned focal length is 59.6 px in frames of 100x50 (80.0 degrees across): known to +-3 %"
    runs = {
        "bends": {"camera": camera, "error": 0.012, "sentence": sentence, "val_loss": 0.1, "abs_rel": None},
        "true camera": {"camera": camera, "val_loss": 0.09, "abs_rel": 0.2},
    }
    assert learned_camera.table({"runs": runs}).splitlines()[2:] == [
        "| bends | 80.0 | +1.2 % | known to +-3 % | 0.1000 | - |",
        "| true camera | 80.0 | - | given | 0.0900 | 0.2000 |",
    ]
