"""All that a verb prints goes through here: names and texts come from files, and must not steer the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from selfdepth.errors import printable

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str) -> None:
    """Print a result on stdout, and end the line."""
    _write(sys.stdout, f"{text}\n")


def remark(text: str) -> None:
    """Print a line on stderr at once: an error, a warning, progress.

    If nobody can read it any more (a closed terminal, a reader that has ended), it is lost, and the work goes on.
    """
    with contextlib.suppress(OSError, ValueError):
        _write(sys.stderr, f"{text}\n")
        sys.stderr.flush()


def safe_console(*, stderr: bool = False, **options: Any) -> Console:
    """A console of rich for tables and bars, which shows what would steer the terminal as escapes.

    Args:
        stderr: print there instead of on stdout.
        options: of `rich.console.Console`.
    """
    made: Console = _console_class()(stderr=stderr, **options)
    return made


@cache
def _console_class() -> Any:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            """As rich does it. Its own sequences are styles and controls of a segment, never in the text."""
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield segment._replace(text=_encodable(printable(segment.text), self.encoding))

    return SafeConsole


def _write(stream: TextIO, text: str) -> None:
    stream.write(_encodable(printable(text), stream.encoding or "utf-8"))


def _encodable(text: str, encoding: str) -> str:
    """The text with escapes for what the terminal's encoding lacks: a file's name may hold anything."""
    return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)
