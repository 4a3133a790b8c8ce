"""Errors that a user can fix. Each is one sentence: what, where, expected, got, what to do."""

from __future__ import annotations

import unicodedata
from pathlib import Path

_LONGEST_PART = 1000
"""Characters of a part of a sentence: enough for any path that exists, and no more of a number of 5,000 digits."""
_HIDDEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
"""Unicode categories that steer a terminal or hide text: controls, formats such as a change of the direction of
writing, unassigned, private use, halves of surrogate pairs, separators of lines and paragraphs."""


def printable(text: str) -> str:
    """The text with every character that steers a terminal shown as its escape: the bell is \\x07. Line breaks and
    tabs stay.

    All that is printed passes here: names and texts come from files, and a stranger may have written those.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character in "\n\t" or character.isprintable() or unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class SelfDepthError(Exception):
    """An error that the user can fix. The command line prints it as one `error:` line without traceback, and exits 2.

    Args:
        what: what is wrong, without a full stop ("the video has too few frames").
        where: the file, option or field at fault.
        expected: what would have been right.
        got: what was there instead.
        fix: what to do now, as an imperative ("try resnet18").
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.got, self.fix = what, where, expected, got, fix
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        text = self.what if self.where is None else f"{self.what}: {_shortened(str(self.where))}"
        if self.expected is not None:
            text += f"; expected {_shortened(self.expected)}"
        if self.got is not None:
            text += f"; got {_shortened(self.got)}"
        if self.fix is not None:
            text += f"; {self.fix}"
        # On one line, even where a part quotes another library's lines; without what would steer a terminal.
        return printable(" ".join(text.split()))


def _shortened(part: str) -> str:
    return part if len(part) <= _LONGEST_PART else f"{part[: _LONGEST_PART - 100]} ... {part[-50:]}"


class ConfigError(SelfDepthError):
    """An invalid option, preset or configuration file."""


class DataError(SelfDepthError):
    """Images, videos, calibration, splits, poses or ground truth that are missing or invalid."""


class CheckpointError(SelfDepthError):
    """A model, its weights or a checkpoint that cannot be read."""


class OutputError(SelfDepthError):
    """A file or folder that cannot be written."""


class DiskFullError(OutputError):
    """A file or folder for which there is no space."""


class TrainingError(SelfDepthError):
    """A run that cannot continue: the loss is not finite, or memory ran out."""


class SelfDepthWarning(UserWarning):
    """Something that the user should know, and that does not stop the work."""


class Interrupted(Exception):  # noqa: N818  not an error: the user stopped the run
    """A signal stopped the run, which has saved everything that a resume needs.

    Args:
        signal_number: from which the command line forms its exit code, 128 + the number.
        folder: the run's folder.
    """

    def __init__(self, signal_number: int, folder: Path) -> None:
        self.signal_number, self.folder = signal_number, folder
        super().__init__(f"stopped by signal {signal_number}; {folder} can be resumed")


class InputsFailed(Exception):  # noqa: N818  the others are done: the work has an end, and a third exit code
    """Some of many inputs could not be predicted. Each has been named; the others are done.

    Args:
        failed: number of inputs that failed.
        count: number of inputs in all.
    """

    def __init__(self, failed: int, count: int) -> None:
        self.failed, self.count = failed, count
        super().__init__(f"{failed} of {count} inputs failed")


class EndedElsewhere(Exception):  # noqa: N818  the error is that of another process, which tells it
    """Another process of the run has raised the error that ends all of them, and says so."""
