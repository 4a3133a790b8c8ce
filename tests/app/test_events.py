"""The page as gradio has it: what it takes as an upload, and one request at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from selfdepth.app.events import _only_uploads, build_page, theme
from selfdepth.app.folders import Visits
from selfdepth.app.library import quiet_gradio
from selfdepth.app.work import Worker
from selfdepth.inference.predict import load_ready


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret", "http://example.com/a.jpg", "file:///etc/passwd", "link", ""]
)
def test_what_was_not_uploaded_is_not_taken(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "mine").write_text("y")

    async def move(path: Any) -> str:
        return f"moved {Path(path).name}"

    taken = _only_uploads(move, folder)
    assert asyncio.run(taken(folder / "mine")) == "moved mine"
    with pytest.raises(ValueError, match="not uploaded"):
        asyncio.run(taken(f"{folder}/{name}" if name in ("../secret", "link") else name))


def test_all_that_needs_the_model_shares_one_place_in_a_bounded_line(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    worker = Worker(load_ready(str(model), (), device="cpu", precision="fp32"))
    with quiet_gradio(tmp_path) as gradio:
        blocks = build_page(gradio, worker, Visits(tmp_path))
        queued = [each for each in blocks.fns.values() if each.queue and each.name != "leave"]
        assert {(each.concurrency_id, each.concurrency_limit) for each in queued} == {("model", 1)}
        assert {each.name for each in queued} == {"show", "film", "look_again", "write"}
        assert blocks._queue.max_size == 16
        assert not blocks.analytics_enabled


def test_no_font_is_fetched() -> None:
    gradio = pytest.importorskip("gradio")
    styles = theme(gradio)._get_theme_css().replace("http://www.w3.org/2000/svg", "")  # the name of a form of pictures
    assert "http" not in styles
