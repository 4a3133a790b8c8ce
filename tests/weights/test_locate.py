"""The folder that a MODEL names, and what is downloaded for it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from helpers.hub import Hub
from selfdepth.errors import CheckpointError
from selfdepth.weights.locate import find_weights, model_checksum


def test_a_run_folder_stands_for_its_best_and_else_its_last_weights(tmp_path: Path, model: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    shutil.copytree(model, tmp_path / "last")
    assert find_weights(tmp_path) == tmp_path / "last"
    shutil.copytree(model, tmp_path / "best")
    assert find_weights(str(tmp_path)) == tmp_path / "best"


def test_what_is_no_model_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    table = {
        "empty": "holds no model: empty; .*got an empty folder",
        ".": r"holds no model: .*got empty, photo.jpg, runs",
        "photo.jpg": "the model is a file: photo.jpg",
        "nowhere": "no such model: nowhere",
        "runs/typo": "no such model: runs/typo",
        "a/b/c": "no such model: a/b/c",
        str(tmp_path / "gone"): f"no such model: {re.escape(str(tmp_path / 'gone'))}",
    }
    for name, sentence in table.items():
        with pytest.raises(CheckpointError, match=sentence):
            find_weights(name)


def test_what_looks_like_a_hub_name_is_a_misspelt_path_where_its_folder_is_here(
    hub: Hub, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hub.give("runs/street", {path.name: path.read_bytes() for path in model.iterdir()})
    assert model_checksum(find_weights("runs/street")) == model_checksum(model)
    (tmp_path / "runs").mkdir()
    with pytest.raises(CheckpointError, match=r"no such model: runs/street; .*; write hf://runs/street if"):
        find_weights("runs/street")
    assert model_checksum(find_weights("hf://runs/street")) == model_checksum(model)


def test_the_address_of_a_page_is_answered_with_the_name() -> None:
    with pytest.raises(CheckpointError, match="did you mean alice/street"):
        find_weights("https://huggingface.co/alice/street")


def test_the_checksum_of_a_model_is_that_of_its_files_and_of_nothing_beside_them(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (copy / "notes.txt").write_text("a copy")
    assert model_checksum(copy) == model_checksum(model)
    for name in ("config.json", "model.safetensors"):
        before = model_checksum(copy)
        (copy / name).write_bytes((copy / name).read_bytes() + b" ")
        assert model_checksum(copy) != before
