"""The page that goes through the paper: what it names exists, its figures can be drawn, and they show what it says."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"\[`([\w.]+)`\]\(\.\./(src/[\w/]+\.py)\)", PAGE)))
FIGURES = ("occlusion", "automask", "multiscale")
MAX_BYTES = 200_000


@cache
def names_in(path: Path) -> set[str]:
    """Functions and classes of a file, and methods as Class.method."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


def test_every_function_that_the_page_names_is_in_the_file_it_links() -> None:
    assert len(NAMED) > 30
    missing = [f"{name} in {file}" for name, file in NAMED if name not in names_in(ROOT / file)]
    assert not missing, "\n".join(("not there:", *missing))


def test_the_page_names_a_function_for_each_of_the_five_equations_and_a_figure_for_each_contribution() -> None:
    for number in range(1, 6):
        _, _, after = PAGE.partition(f"**Equation {number}")
        assert after, number
        text = re.split(r"\*\*Equation \d|^###? ", after, flags=re.MULTILINE)[0]
        assert re.search(r"\[`[\w.]+`\]\(\.\./src/", text), number
    assert re.findall(r"\]\(images/(\w+)\.png\)", PAGE) == list(FIGURES)


def test_the_lines_that_the_page_points_at_are_marked_in_the_code() -> None:
    code = (ROOT / "src/selfdepth/losses/reprojection.py").read_text(encoding="utf-8")
    assert "# Equation 4" in code
    assert "# Equation 5" in code


def test_the_figures_are_there_legible_and_small() -> None:
    for name in FIGURES:
        path = ROOT / f"docs/images/{name}.png"
        assert path.stat().st_size < MAX_BYTES, name
        with Image.open(path) as picture:
            assert picture.width >= 900, name


@pytest.fixture(scope="module")
def script() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        return importlib.import_module("draw_figures")


@pytest.fixture(scope="module")
def drives(script: ModuleType) -> SimpleNamespace:
    street, follow, halt = script.render(160, 48)
    return SimpleNamespace(street=street, follow=follow, halt=halt)


@pytest.mark.slow
def test_the_script_draws_all_figures(
    script: ModuleType, drives: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "render", lambda *_: (drives.street, drives.follow, drives.halt))
    script.main(tmp_path / "new")
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(FIGURES)
    for path in (tmp_path / "new").iterdir():
        with Image.open(path) as picture:
            assert len(np.unique(np.asarray(picture))) > 50, path


@pytest.mark.slow
def test_the_minimum_over_the_sources_is_lower_than_the_mean_where_the_page_says_so(
    script: ModuleType, drives: SimpleNamespace
) -> None:
    clip = script.Clip.of(drives.street, script.TARGET)
    errors = clip.errors(clip.depth)
    wrong = clip.errors(2 * clip.depth)
    assert errors.amin(0).mean() < 0.75 * errors.mean(0).mean()
    assert errors.amin(0).mean() < 0.75 * wrong.amin(0).mean()


@pytest.mark.slow
def test_the_auto_mask_leaves_out_the_car_of_the_same_speed_and_nearly_all_at_a_stop(
    script: ModuleType, drives: SimpleNamespace
) -> None:
    frame = script.most_followed(drives.follow)
    car, keep = drives.follow.comoving[frame], script.Clip.of(drives.follow, frame).keep()
    assert keep[car].mean() < 0.25 < 0.6 < keep[~car].mean()
    stop = script.Clip.of(drives.halt, script.halted(drives.halt))
    assert stop.moved(script.forward(script.STEP_M)).keep().mean() < 0.1


@pytest.mark.slow
def test_a_coarse_disparity_is_tied_down_at_full_size_and_less_so_at_its_own(
    script: ModuleType, drives: SimpleNamespace
) -> None:
    ratios = np.geomspace(0.4, 2.5, 41)
    native, full = script.coarse_errors(script.Clip.of(drives.street, script.TARGET), ratios)
    known = script.cells_below_sky(drives.street.depth[script.TARGET])
    right = [(np.abs(ratios[errors.argmin(0)][known] - 1) < 0.1).mean() for errors in (native, full)]
    assert right[1] > right[0] + 0.2
