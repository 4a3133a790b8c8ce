"""Gradio is asked for, kept quiet, and missed in one sentence."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

from selfdepth.app.library import quiet_gradio, require_gradio
from selfdepth.errors import ConfigError


def test_without_gradio_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ConfigError, match=r"pip install 'selfdepth\[app\]'"):
        require_gradio()


def test_an_old_gradio_is_refused_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "5.49.1")
    with pytest.raises(ConfigError, match=r"expected gradio 6 or later; got 5.49.1"):
        require_gradio()


def test_gradio_reports_nothing_writes_to_one_folder_and_the_environment_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with quiet_gradio(tmp_path) as gradio:
        assert not gradio.analytics.analytics_enabled()
        assert gradio.utils.get_upload_folder() == str(tmp_path)
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "True"
    assert "GRADIO_TEMP_DIR" not in os.environ
