"""What the evaluate verbs do alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfdepth.cli.evaluating import judged, write_numbers
from selfdepth.errors import OutputError


@pytest.mark.parametrize(
    ("file", "folder", "option"), [("f/a.json", None, "--json"), (None, "f", "--plots"), ("a.json", "f/b", "--plots")]
)
def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_judged(
    tmp_path: Path, file: str | None, folder: str | None, option: str
) -> None:
    (tmp_path / "f").write_text("a file")
    places = [place and str(tmp_path / place) for place in (file, folder)]
    with pytest.raises(OutputError, match=f"name another place with {option}$"):
        judged(lambda: pytest.fail("judged"), doing="judging", json=places[0], folders={"--plots": places[1]})
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_what_was_judged_comes_back_and_is_written_only_where_it_is_asked_for(tmp_path: Path) -> None:
    file = str(tmp_path / "new" / "a.json")
    found = judged(lambda: {"rmse": 0.5}, doing="judging", json=file, folders={"--plots": str(tmp_path / "plots")})
    assert list(tmp_path.iterdir()) == [], "places are tried, not kept"
    write_numbers(None, found)
    assert list(tmp_path.iterdir()) == []
    write_numbers(file, found)
    assert json.loads(Path(file).read_text()) == {"rmse": 0.5}
    with pytest.raises(ValueError, match="JSON"):
        write_numbers(file, {"rmse": float("nan")})
    assert json.loads(Path(file).read_text()) == {"rmse": 0.5}
