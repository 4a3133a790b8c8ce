"""The table of formats, and what each refuses before anything is computed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from selfdepth.errors import ConfigError, OutputError
from selfdepth.export.targets import TARGETS, require_target


@pytest.mark.parametrize(
    ("name", "out", "precision", "words"),
    [
        ("torch", "model.pt2", "int8", r"not written in int8.*expected fp32 or fp16.*try onnx int8 or openvino int8"),
        ("executorch", "model.pte", "int8", r"not written in int8"),
        ("onnx", "model.pt", "fp32", r"ends in \.onnx.*got \.pt; try --out model\.onnx"),
        ("onnx", "model", "fp32", r"ends in \.onnx.*got no ending"),
        ("openvino", "model.onnx", "fp32", r"ends in \.xml"),
        ("executorch", "model.onnx", "fp32", r"ends in \.pte"),
    ],
)
def test_what_a_format_does_not_hold_is_refused(name: Any, out: str, precision: Any, words: str) -> None:
    with pytest.raises((ConfigError, OutputError), match=words):
        require_target(name, Path(out), precision)


@pytest.mark.parametrize(("name", "extra"), [("onnx", "export"), ("openvino", "export"), ("executorch", "executorch")])
def test_what_is_not_installed_is_said_with_the_extra(monkeypatch: pytest.MonkeyPatch, name: Any, extra: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    target = TARGETS[name]
    with pytest.raises(ConfigError, match=rf"needs {', '.join(target.needs)}.*pip install 'selfdepth\[{extra}\]'"):
        require_target(name, Path(f"model{target.suffix}"), "fp32")


@pytest.mark.parametrize(
    ("name", "out", "files"),
    [
        ("onnx", "a/m.onnx", ("a/m.onnx",)),
        ("openvino", "a/m.xml", ("a/m.bin", "a/m.xml")),
        ("torch", "a/m.pt2", ("a/m.pt2.json", "a/m.pt2")),
        ("executorch", "a/m.pte", ("a/m.pte.json", "a/m.pte")),
    ],
)
def test_every_file_of_a_format_is_known_the_graph_last(name: Any, out: str, files: tuple[str, ...]) -> None:
    assert TARGETS[name].files(Path(out)) == tuple(Path(file) for file in files)
