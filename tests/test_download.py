"""The folder that keeps downloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.download import cache_folder


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SELFDEPTH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("~/.cache/selfdepth").expanduser()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "selfdepth"
    monkeypatch.setenv("SELFDEPTH_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
