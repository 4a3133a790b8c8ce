"""What the paper published: every row has a preset, plausible figures, and the commands that measure it as it was."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

from selfdepth.paper.figures import (
    METRICS,
    DepthFigures,
    Make3dFigures,
    OdometryFigures,
    OneScaleFigures,
    ServerFigures,
)
from selfdepth.paper.tables import ROWS
from selfdepth.paper.tables_v1 import V1_ROWS
from selfdepth.presets import PRESETS, preset

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAPER = [name for name in PRESETS if name.startswith("paper-")]
FULL = "paper-mono-640x192"

KINDS = {"3": Make3dFigures, "4": OdometryFigures, "8": OneScaleFigures, "9": ServerFigures}
"""By table; depth errors else."""
JUDGED = {
    "3": "make3d",
    "4": "odometry",
    "7": "eigen_benchmark",
    "8": "eigen_benchmark, one scale",
    "9": "kitti's server",
    "10": "eigen, flipped too",
}
"""By table; Eigen's test frames else."""


def test_every_preset_of_the_paper_has_a_row_and_every_row_a_preset() -> None:
    assert {row.preset for row in ROWS} == set(PAPER)
    assert len({(row.tables, row.name) for row in ROWS}) == len(ROWS)


def test_published_figures_are_complete_and_plausible() -> None:
    for row in ROWS:
        values = [value for value in dataclasses.astuple(row.figures) if value is not None]
        assert values, row
        assert all(0 < value < (20 if isinstance(row.figures, ServerFigures) else 10) for value in values), row
        if isinstance(row.figures, DepthFigures | OneScaleFigures):
            shares = [share for share in (row.figures.a1, row.figures.a2, row.figures.a3) if share is not None]
            assert shares == sorted(shares) and all(share < 1 for share in shares), row
            assert len(values) == len(row.figures.HEADS) or row.tables not in ("1", "8"), row


def test_a_table_holds_figures_of_one_kind_measured_in_one_way() -> None:
    for row in ROWS:
        assert type(row.figures) is KINDS.get(row.tables, DepthFigures), row
        assert row.judged == JUDGED.get(row.tables, "eigen"), row


def test_figures_that_are_in_two_tables_are_the_same_in_both() -> None:
    known: dict[tuple[str, str], DepthFigures] = {}
    compared = 0
    for row in ROWS:
        if (
            not isinstance(row.figures, DepthFigures)
            or row.other_split is not None
            or row.name.startswith("pose network")
        ):
            continue
        first = known.setdefault((row.preset, row.judged), row.figures)
        both = [
            (a, b)
            for a, b in zip(dataclasses.astuple(first), dataclasses.astuple(row.figures), strict=True)
            if a is not None and b is not None
        ]
        compared += first is not row.figures
        assert all(a == b for a, b in both), row
    assert compared == 2


def test_one_scale_for_all_images_is_worse_than_one_for_each() -> None:
    (one,) = (row.figures for row in ROWS if row.tables == "8")
    (each,) = (row.figures for row in ROWS if (row.tables, row.preset) == ("7", FULL))
    assert isinstance(one, OneScaleFigures)
    assert isinstance(each, DepthFigures)
    for metric in METRICS:
        better, worse = getattr(each, metric), getattr(one, metric)
        assert better > worse if metric.startswith("a") and metric != "abs_rel" else better < worse


def test_what_is_averaged_with_the_mirrored_image_is_better_than_what_is_not() -> None:
    plain = {row.preset: row.figures for row in ROWS if row.tables == "1"}
    flipped = {row.preset: row.figures for row in ROWS if row.tables == "10"}
    assert len(flipped) == 9
    for name, figures in flipped.items():
        assert figures.abs_rel < plain[name].abs_rel  # type: ignore[union-attr]


def test_a_row_is_measured_as_it_was_published() -> None:
    for row in ROWS:
        text = " ".join(row.evaluate_commands())
        stereo = preset(row.preset).stereo != "none"
        options = {
            "--no-median-scaling": stereo and row.tables not in ("4", "9"),
            "--post-process": row.tables == "10",
            "eigen_benchmark": row.tables in ("7", "8"),
            "data_depth_annotated": row.tables in ("7", "8"),
            "--one-scale": row.tables == "8",
            "--data make3d": row.tables == "3",
            "--save kitti": row.tables == "9",
            "--factor": row.tables == "9" and not stereo,
            "--part train --frames 1000": row.tables == "9" and not stereo,
            "--sequence 09": row.tables == "4",
            "--sequence 10": row.tables == "4",
        }
        assert {option: option in text for option in options} == options, row


def test_the_largest_models_are_trained_in_two_commands_the_second_from_the_model_of_the_first() -> None:
    for row in ROWS:
        *before, last = row.train_commands()
        assert len(before) == ("1024x320" in row.preset) == ("--init" in last), row
        if before:
            (out,) = [words.split()[0] for words in before[0].split("--out ")[1:]]
            assert f"--init {out}/last" in last, row


def test_runs_of_the_same_name_are_the_same_run_in_every_row() -> None:
    trained: dict[str, str] = {}
    for row in ROWS:
        for command in row.train_commands():
            options, out = command.split(" --out ")
            assert trained.setdefault(out, options) == options
    assert len(trained) > len(PAPER)


def test_the_page_of_the_paper_is_what_would_be_written_now() -> None:
    spec = importlib.util.spec_from_file_location("write_reproduce", DOCS / "write_reproduce.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "reproduce.md").read_text(encoding="utf-8") == module.text(), "run docs/write_reproduce.py"
    assert all(f"`{name}`" in module.text() for name in PAPER)
    assert module.text().count("\n| ") - 2 * len(module.TITLES) - 7 == len(ROWS) + len(V1_ROWS)
