"""The site of the documents: it is the repository as it is, builds without a broken link, and fetches nothing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = ("load", "Predictor.predict", "DepthPrediction", "Camera", "Trajectory", "TrainConfig", "SelfDepthError")


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    """The hooks, as mkdocs loads them: by their file."""
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs/site_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("README.md", "index.md"),
        ("docs/kitti.md", "kitti.md"),
        ("docs/images/demo.png", "images/demo.png"),
        ("CONTRIBUTING.md", "CONTRIBUTING.md"),
        ("benchmarks/results/README.md", "benchmarks/results/index.md"),
        ("benchmarks/results/curves.png", "benchmarks/results/curves.png"),
        ("src/selfdepth/structs.py", "src/selfdepth/structs.py.md"),
        ("LICENSE", "LICENSE.md"),
        ("examples", "examples/index.md"),
    ],
)
def test_every_file_of_the_repository_has_its_place_on_the_site(pages: ModuleType, path: str, place: str) -> None:
    assert (ROOT / path).exists()
    assert pages.place_of(path) == place


@pytest.mark.parametrize(
    ("page", "link", "becomes"),
    [
        ("kitti.md", "../README.md#install", "index.md#install"),
        ("kitti.md", "outputs.md#models", "outputs.md#models"),
        ("kitti.md", "#splits", "#splits"),
        ("kitti.md", "../src/selfdepth/structs.py", "src/selfdepth/structs.py.md"),
        ("kitti.md", "../examples", "examples/index.md"),
        ("kitti.md", "https://arxiv.org/abs/1806.01260", "https://arxiv.org/abs/1806.01260"),
        ("kitti.md", "not-there.md", "not-there.md"),
    ],
)
def test_links_follow_their_files(pages: ModuleType, page: str, link: str, becomes: str) -> None:
    found = pages.on_page_markdown(f"See [this]({link}).", SimpleNamespace(file=SimpleNamespace(src_uri=page)))
    assert found == f"See [this]({becomes})."


def test_links_from_pages_outside_docs_start_at_their_own_place(pages: ModuleType) -> None:
    file = SimpleNamespace(src_uri="benchmarks/results/index.md", repository_path="benchmarks/results/README.md")
    found = pages.on_page_markdown("[a](../../docs/paper.md) [b](../speed.py)", SimpleNamespace(file=file))
    assert found == "[a](../../paper.md) [b](../speed.py.md)"


def test_code_is_left_as_it_is(pages: ModuleType) -> None:
    code = "```python\nx = [1](../README.md)\n- 1\n```"
    assert pages.on_page_markdown(code, SimpleNamespace(file=SimpleNamespace(src_uri="kitti.md"))) == code


def test_a_list_right_after_a_paragraph_stays_a_list(pages: ModuleType) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="kitti.md"))
    assert pages.on_page_markdown("These:\n- a\n  b\n- c", page) == "These:\n\n- a\n  b\n- c"


def test_the_order_of_the_pages_is_that_of_the_readme(pages: ModuleType) -> None:
    nav = pages.on_config(SimpleNamespace(nav=None)).nav
    assert nav[:2] == ["index.md", "your-own-video.md"]
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= set(nav)


@pytest.mark.slow
def test_the_site_builds_without_a_broken_link_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    html = {page: page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html")}
    assert len(html) > 30
    fetched = r"""(?:<(?:script|img|iframe|source)[^>]*\ssrc|<link[^>]*\shref)=["']?(?:https?:)?//[^"'>\s]*"""
    assert [found for text in html.values() for found in re.findall(fetched, text)] == []
    api = html[tmp_path / "site/api.html"]
    assert [name for name in PUBLIC if not re.search(rf'id="selfdepth\.[\w.]*{re.escape(name)}"', api)] == []
