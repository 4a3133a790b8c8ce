"""All that is printed passes one place, where what would steer a terminal is shown as an escape."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import selfdepth.cli
from selfdepth.cli.printing import remark, safe_console, say

HOSTILE = "a\x1b]0;title\x07b\udcff"
SHOWN = r"a\x1b]0;title\x07b\udcff"


def test_results_and_remarks_are_lines_without_controls(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one {HOSTILE}\ntwo")
    remark(HOSTILE)
    assert capsys.readouterr() == (f"one {SHOWN}\ntwo\n", f"{SHOWN}\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_console_shows_them_in_text_tables_and_titles(terminal: bool) -> None:
    stream = io.StringIO()
    console = safe_console(file=stream, force_terminal=terminal, width=200, markup=False)
    table = Table(title=Text(HOSTILE))
    table.add_column(HOSTILE)
    table.add_row(Text(HOSTILE))
    console.print(table)
    console.print(HOSTILE, style="yellow", highlight=False)
    text = stream.getvalue()
    assert text.count(r"a\x1b]0;tit") == 4  # rich leaves the bell out by itself
    assert "\x1b]" not in text and "\x07" not in text and ("\x1b[" in text) == terminal


def test_what_the_encoding_lacks_is_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="ascii"))
    say("深度 ü")
    sys.stdout.flush()
    assert buffer.getvalue() == b"\\u6df1\\u5ea6 \\xfc\n"


def test_no_verb_prints_in_another_way() -> None:
    folder = Path(selfdepth.cli.__file__).parent
    for path in set(folder.glob("*.py")) - {folder / "printing.py"}:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
        assert not words & {"sys.stdout.write", "sys.stderr.write", "print", "Console(stderr=True)"}, path.name
        made = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert "Console" not in made, path.name


def test_a_remark_that_nobody_can_read_is_lost_and_a_result_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        monkeypatch.setattr("sys.stdout", full)
        remark("step 7")
        with pytest.raises(OSError, match="No space left"):
            say("0.12")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
