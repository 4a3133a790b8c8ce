"""What both evaluate verbs do: check where results go, evaluate, write --json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfdepth.cli.evaluating import run_evaluation, write_json
from selfdepth.errors import OutputError


@pytest.mark.parametrize(
    ("file", "folder", "option"), [("f/a.json", None, "--json"), (None, "f", "--plots"), ("a.json", "f/b", "--plots")]
)
def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_evaluated(
    tmp_path: Path, file: str | None, folder: str | None, option: str
) -> None:
    (tmp_path / "f").write_text("a file")
    places = [place and str(tmp_path / place) for place in (file, folder)]
    with pytest.raises(OutputError, match=f"name another place with {option}$"):
        run_evaluation(
            lambda: pytest.fail("evaluated"), status="evaluating", json=places[0], folders={"--plots": places[1]}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_the_result_is_returned_and_written_only_with_a_json_file(tmp_path: Path) -> None:
    file = str(tmp_path / "new" / "a.json")
    result = run_evaluation(
        lambda: {"rmse": 0.5}, status="evaluating", json=file, folders={"--plots": str(tmp_path / "plots")}
    )
    assert list(tmp_path.iterdir()) == [], "places are tried, not kept"
    write_json(None, result)
    assert list(tmp_path.iterdir()) == []
    write_json(file, result)
    assert json.loads(Path(file).read_text()) == {"rmse": 0.5}


def test_numbers_that_json_does_not_have_leave_the_older_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("{}")
    with pytest.raises(ValueError, match="JSON"):
        write_json(str(file), {"rmse": float("nan")})
    assert file.read_text() == "{}"
