"""Words that name files and folders, from a command line or a configuration, as paths that the system can take."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from selfdepth.errors import ConfigError, SelfDepthError

_LONGEST_NAME = 255
"""Bytes of a file's name: the limit of nearly all file systems."""
_LONGEST_PATH = 4095


_URL = re.compile(r"(s3|gs|azure)://")


def is_url(word: str | Path) -> bool:
    """Whether a word names a place in a bucket, and no file here."""
    return _URL.match(str(word)) is not None


def path_of(word: str | Path, where: str = "a name", *, error: type[SelfDepthError] = ConfigError) -> Path:
    """The path that a word names, with ~ and ~user as the home folders that they stand for.

    Args:
        where: the option or field that gave the word, for errors.
        error: what to raise.

    Raises:
        SelfDepthError: of the kind `error`, for a word that can be no path: of a user who does not exist, with a zero
            byte, longer than names are, or through links that lead in a circle.
    """
    require_name(word, where, error=error)
    try:
        path = Path(word).expanduser()
    except RuntimeError as fault:
        user = str(word).split("/")[0]
        fix = f"write ./{user} for a file of that name"
        got = f"{user}, and there is no such user here"
        raise error("the home folder is unknown", where=where, expected="a path", got=got, fix=fix) from fault
    if _is_circle(path):
        raise error("the links of a path lead in a circle", where=where, expected="a path", got=f"{path}")
    return path


def _is_circle(path: Path) -> bool:
    try:
        path.stat()
    except OSError as fault:
        return fault.errno == errno.ELOOP
    return False


def require_name(word: str | Path, where: str = "a name", *, error: type[SelfDepthError] = ConfigError) -> None:
    """Refuse a word that no file system has as a name. Args and errors as in `path_of`."""
    text = str(word)
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError as fault:
        raise error("a name cannot hold half a character", where=where, got=text[:80]) from fault
    if "\0" in text:
        got = text.replace("\0", "\\0")[:80]
        raise error("a name cannot hold a zero byte", where=where, got=got)
    longest = max(map(len, encoded.split(b"/")))
    if longest > _LONGEST_NAME:
        expected, got = f"at most {_LONGEST_NAME} bytes", f"{longest} bytes: {text[:40]}..."
        raise error("the name is too long", where=where, expected=expected, got=got)
    if len(encoded) > _LONGEST_PATH:
        expected, got = f"at most {_LONGEST_PATH} bytes", f"{len(encoded)} bytes: {text[:40]}..."
        raise error("the path is too long", where=where, expected=expected, got=got)
