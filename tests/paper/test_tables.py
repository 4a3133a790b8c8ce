"""The named runs: each is what its row of the paper says, and nothing else."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfdepth.config import TrainConfig, to_json
from selfdepth.errors import ConfigError
from selfdepth.paper.figures import (
    METRICS,
    DepthFigures,
    Make3dFigures,
    OdometryFigures,
    OneScaleFigures,
    ServerFigures,
)
from selfdepth.paper.tables import ROWS, Row
from selfdepth.presets import CONTINUES, PRESETS, preset

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAPER = [name for name in PRESETS if name.startswith("paper-")]
FULL = "paper-mono-640x192"
BASELINE = {"loss.automask": False, "loss.reprojection": "mean", "loss.multiscale": "native"}
FROM_SCRATCH = {"encoder.pretrained": False, "epochs": 30}
LARGE = {"width": 1024, "height": 320, "batch_size": 4, "learning_rate": 1e-5, "epochs": 5}
PAIRS_ALONE = {"stereo": "nominal", "offsets": []}

CHANGES: dict[str, dict[str, Any]] = {
    "mono-640x192": {},
    "mono-416x128": {"width": 416, "height": 128},
    "mono-1024x320": LARGE,
    "stereo-640x192": PAIRS_ALONE,
    "stereo-1024x320": {**PAIRS_ALONE, **LARGE},
    "stereo-640x192-no-pt": {**PAIRS_ALONE, **FROM_SCRATCH},
    "mono-stereo-640x192": {"stereo": "nominal"},
    "mono-stereo-1024x320": {"stereo": "nominal", **LARGE},
    "mono-stereo-640x192-resnet50": {"stereo": "nominal", "encoder.name": "resnet50"},
    "mono-stereo-640x192-no-pt": {"stereo": "nominal", **FROM_SCRATCH},
    "mono-640x192-no-pt": FROM_SCRATCH,
    "mono-640x192-baseline": BASELINE,
    "mono-640x192-baseline-min": {name: BASELINE[name] for name in ("loss.automask", "loss.multiscale")},
    "mono-640x192-baseline-automask": {name: BASELINE[name] for name in ("loss.reprojection", "loss.multiscale")},
    "mono-640x192-baseline-multiscale": {name: BASELINE[name] for name in ("loss.automask", "loss.reprojection")},
    "mono-640x192-no-min": {"loss.reprojection": "mean"},
    "mono-640x192-no-automask": {"loss.automask": False},
    "mono-640x192-no-multiscale": {"loss.multiscale": "native"},
    "mono-640x192-no-ssim": {"loss.ssim": False},
    "mono-640x192-predictive-mask": {"loss.automask": False, "loss.predictive_mask": True},
    "mono-640x192-baseline-no-pt": {**BASELINE, **FROM_SCRATCH},
    "mono-640x192-no-min-no-pt": {"loss.reprojection": "mean", **FROM_SCRATCH},
    "mono-640x192-no-automask-no-pt": {"loss.automask": False, **FROM_SCRATCH},
    "mono-640x192-no-multiscale-no-pt": {"loss.multiscale": "native", **FROM_SCRATCH},
    "mono-640x192-resnet50": {"encoder.name": "resnet50"},
    "mono-640x192-resnet50-no-pt": {"encoder.name": "resnet50", **FROM_SCRATCH},
    "mono-640x192-separate-all": {"encoder.pose_input": "all"},
    "mono-640x192-shared": {"encoder.pose_network": "shared"},
    "mono-640x192-shared-all": {"encoder.pose_network": "shared", "encoder.pose_input": "all"},
    "mono-640x192-posecnn": {"encoder.pose_network": "posecnn"},
    "mono-640x192-posecnn-all": {"encoder.pose_network": "posecnn", "encoder.pose_input": "all"},
}
"""In what each differs from the full monocular model, and it shall differ in nothing else."""


def flat(config: TrainConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in to_json(config).items():
        found.update({f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value})
    return found


def differences(config: TrainConfig, other: TrainConfig) -> dict[str, Any]:
    before = flat(other)
    return {name: value for name, value in flat(config).items() if value != before[name]}


def test_the_table_of_this_test_names_every_preset_of_the_paper() -> None:
    assert {f"paper-{name}" for name in CHANGES} == set(PAPER)


@pytest.mark.parametrize("name", CHANGES)
def test_a_preset_of_the_paper_differs_from_the_full_model_in_what_its_name_says_alone(name: str) -> None:
    assert differences(preset(f"paper-{name}"), preset(FULL)) == CHANGES[name]


def test_the_full_model_is_ours_in_the_papers_conventions() -> None:
    assert differences(preset(FULL), preset("mono-640x192")) == {
        "camera": "paper",
        "height": 192,
        "loss.pixel_convention": "corner",
        "epochs": 20,
        "drop_after": 15,
        "precision": "fp32",
    }


def test_names_are_what_they_say_in_any_combination() -> None:
    for name in PRESETS:
        mode, size, variant = re.fullmatch(r"(?:paper-)?([a-z-]+)-(\d+x\d+)-?(.*)", name).groups()  # type: ignore[union-attr]
        config = preset(name)
        assert (config.stereo != "none", config.offsets == ()) == ("stereo" in mode, mode == "stereo"), name
        assert config.width == int(size.split("x")[0])
        assert config.encoder.pretrained == (not variant.endswith("no-pt"))
        if "baseline" not in variant:
            assert config.loss.automask == ("no-automask" not in variant and "mask" not in variant), name


@pytest.mark.parametrize("name", PAPER)
def test_every_preset_of_the_paper_is_in_its_conventions(name: str) -> None:
    config = preset(name)
    assert (config.camera, config.loss.pixel_convention) == ("paper", "corner")
    assert (config.loss.near, config.loss.far, config.loss.start_depth) == (0.1, 100, None)
    assert config.metres_per_unit == (None if config.stereo == "none" else 5.4)


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in PAPER])
def test_every_other_preset_is_in_the_corrected_ones(name: str) -> None:
    config = preset(name)
    assert (config.camera, config.loss.pixel_convention) == (None, "center")
    assert config.metres_per_unit == (None if config.stereo == "none" else 1)


@pytest.mark.parametrize(("name", "continued"), CONTINUES.items())
def test_what_continues_a_model_has_the_same_networks(name: str, continued: str) -> None:
    assert (preset(name).encoder, preset(name).offsets) == (preset(continued).encoder, preset(continued).offsets)


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("paper-mono-640x192-noautomask", "paper-mono-640x192-no-automask"),
        ("paper-mono_640x192", "paper-mono-640x192"),
        ("paper-stereo-1024x32", "paper-stereo-1024x320"),
    ],
)
def test_a_misspelt_row_is_refused_with_the_closest_name(name: str, close: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {close}") as refused:
        preset(name)
    assert len(str(refused.value)) < 300, "46 names are no help"


def test_every_preset_of_the_paper_has_a_row_and_every_row_a_preset() -> None:
    assert {row.preset for row in ROWS} == set(PAPER)
    assert len({(row.tables, row.name) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.tables} {row.name}")
def test_published_figures_are_complete_and_plausible(row: Row) -> None:
    values = [value for value in dataclasses.astuple(row.figures) if value is not None]
    assert values
    assert all(0 < value < (20 if isinstance(row.figures, ServerFigures) else 10) for value in values)
    assert len(row.figures.cells()) == len(row.figures.HEADS)
    kinds = {"3": Make3dFigures, "4": OdometryFigures, "8": OneScaleFigures, "9": ServerFigures}
    assert type(row.figures) is kinds.get(row.tables, DepthFigures)
    assert row.judged in {
        "3": ("make3d",),
        "4": ("odometry",),
        "7": ("eigen_benchmark",),
        "8": ("eigen_benchmark, one scale",),
        "9": ("kitti's server",),
        "10": ("eigen, flipped too",),
    }.get(row.tables, ("eigen",))
    if isinstance(row.figures, DepthFigures | OneScaleFigures):
        shares = [share for share in (row.figures.a1, row.figures.a2, row.figures.a3) if share is not None]
        assert shares == sorted(shares)
        assert all(share < 1 for share in shares)
        assert len(values) == len(row.figures.HEADS) or row.tables not in ("1", "8")


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


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.tables} {row.name}")
def test_a_row_is_measured_as_it_was_published(row: Row) -> None:
    text = " ".join(row.evaluate_commands())
    stereo = preset(row.preset).stereo != "none"
    assert ("--no-median-scaling" in text) == (stereo and row.tables not in ("4", "9"))
    assert ("--post-process" in text) == (row.tables == "10")
    assert ("eigen_benchmark" in text) == ("data_depth_annotated" in text) == (row.tables in ("7", "8"))
    assert ("--one-scale" in text) == (row.tables == "8")
    assert ("--data make3d" in text) == (row.tables == "3")
    assert ("--save kitti" in text) == (row.tables == "9")
    assert ("--factor" in text) == ("--part train --frames 1000" in text) == (row.tables == "9" and not stereo)
    assert ("--sequence 09" in text and "--sequence 10" in text) == (row.tables == "4")
    assert (len(row.train_commands()) == 2) == ("1024x320" in row.preset) == ("--init" in row.train_commands()[-1])


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
    assert module.text().count("\n| ") - 2 * len(module.TITLES) - 7 == len(ROWS)


def test_changing_back_gives_a_row_in_corrected_conventions() -> None:
    config = preset("paper-mono-640x192-no-ssim")
    corrected = replace(config, camera=None, loss=replace(config.loss, pixel_convention="center"))
    assert set(differences(corrected, preset("mono-640x192"))) == {
        "loss.ssim",
        "height",
        "epochs",
        "drop_after",
        "precision",
    }
