"""`selfdepth compare`: a table, a page, a file, one concluding sentence; or one sentence that refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from helpers.comparison_place import Place, build_place
from selfdepth.cli.main import main


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return build_place(tmp_path_factory.mktemp("comparison"))


def test_models_of_all_kinds_are_compared_in_one_command(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", str(place.run), str(place.onnx), str(place.export), "--predictions-are", "disparity"]
    words += ["--data", str(place.kitti), "--frames", "2", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "page"), "--json", str(tmp_path / "c.json")]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    values = json.loads((tmp_path / "c.json").read_text())
    assert lines[-1] == values["conclusion"]
    for model in values["models"]:
        row = next(line for line in lines if line.startswith(f"{model['name']} "))
        assert f"{model['abs_rel']:.3f}" in row and model["kind"] in row
    assert values["conclusion"] in (tmp_path / "page/compare.html").read_text().replace("&#x27;", "'")
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["compare.html"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing to compare: MODEL"),
        (["MODEL", "--frames", "0"], "--frames; expected at least 1; got 0"),
        (["MODEL", "--stream", "-1"], "--stream; expected 0 or more"),
        (["missing"], "there is no such model"),
        (["EXPORT", "--part", "train", "--data", "PICTURES"], "error: "),
        (["EXPORT", "--data", "missing"], "missing"),
        (["EXPORT", "--predictions-are", "metres"], "expected disparity, depth, depth-metres or disparity-affine"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    known = {"EXPORT": str(place.export), "PICTURES": str(place.pictures)}
    data = [] if "--data" in words else ["--data", str(place.kitti)]
    asked = ["compare", *(known.get(word, word) for word in words), *data, "--out", str(tmp_path / "out")]
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert sentence in told and told.count("\n") == 1 and "Traceback" not in told
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
