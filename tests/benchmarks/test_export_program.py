"""The program that measures exports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import export
from helpers.models import tiny_config, write_model
from selfdepth.data.sources.rendered import write_drive
from selfdepth.synthetic.drive import DriveSpec, render_drive

ROW = {
    "bytes": 2_000_000,
    "differences": {"disparity": {"largest": 0.02, "mean": 0.002, "reference": 2.0, "unit": "1 / depth"}},
    "abs_rel_ours": 0.2,
    "abs_rel": 0.203,
    "ms": {"median": 5.0, "low": 4.0, "high": 7.0},
}


def test_the_table_has_a_line_for_each_kind_and_says_what_was_refused() -> None:
    ours = {"bytes": 4_000_000, "ms": {"median": 10.0, "low": 9.0, "high": 11.0}}
    rows = {"ours fp32": ours, "onnx int8": ROW, "torch fp16": {"refused": "it differs"}}
    assert export.table({"models": {"model": {"rows": rows}}}).splitlines()[2:] == [
        "| model | ours | fp32 | – | – | – | 4.0 | 10.0 (9.0–11.0) | 1.00 |",
        "| model | onnx | int8 | 1.0e-02 | 1.0e-03 | 0.2000, +0.0030 | 2.0 | 5.0 (4.0–7.0) | 2.00 |",
        "| model | torch | fp16 | refused: it differs | | | | | |",
    ]


@pytest.mark.slow
@pytest.mark.compiled
def test_a_trial_measures_both_models(tmp_path: Path) -> None:
    write_drive(render_drive(DriveSpec(seed=3, frames=6, width=96, height=64)), tmp_path / "drive", with_depth=True)
    model = write_model(tmp_path / "model", tiny_config())
    out = tmp_path / "export.json"
    words = ["--model", str(model), "--data", str(tmp_path / "drive"), "--only", "torch", "--quick", "--json", str(out)]
    document = export.main(words)
    assert document == json.loads(out.read_text(encoding="utf-8"))
    for each in document["models"].values():
        assert set(each["rows"]) == {"ours fp32", "ours auto", "torch fp32", "torch fp16"}
        assert all(row["ms"]["median"] > 0 for row in each["rows"].values())
