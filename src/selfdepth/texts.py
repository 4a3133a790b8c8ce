"""Text and JSON from anybody: size judged before reading, encoding before parsing, every fault one sentence."""

from __future__ import annotations

import codecs
import errno
import json
import os
import select
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from selfdepth.errors import DataError, SelfDepthError
from selfdepth.limits import limit, require_within

# The mark of UTF-32 begins with that of UTF-16, so it is compared first.
_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_BYTES = {"megabytes": 1_000_000, "kilobytes": 1_000}
"""By the last word of a limit's name."""
_CHUNK = 1 << 20
_WAIT_S = 5
"""For the program at the other end of a pipe to open it."""
_LARGEST_WHOLE = 10**18
"""Above any count, frame number or size, and within 64 bits."""


def read_text(
    path: Path,
    *,
    what: str,
    expected: str | None = None,
    fix: str | None = None,
    error: type[SelfDepthError] = DataError,
    name: str = "text_megabytes",
) -> str:
    """The text of a file in UTF-8, without a byte-order mark, its lines ended by "\\n" whatever system wrote it.

    Args:
        what: what is wrong if it cannot be read, such as "the calibration cannot be read".
        expected, fix: parts of the same sentence.
        error: what to raise.
        name: of the limit on its size, in megabytes or kilobytes.

    Raises:
        SelfDepthError: of the kind `error`, for a file that cannot be read, is too large, or is in another encoding.
    """
    data = read_bytes(path, what=what, expected=expected, fix=fix, error=error, name=name)
    return text_of(data, path, what=what, expected=expected, fix=fix, error=error)


def text_of(
    data: bytes,
    path: Path,
    *,
    what: str,
    expected: str | None = None,
    fix: str | None = None,
    error: type[SelfDepthError] = DataError,
) -> str:
    """The text that the bytes of a file are. Args and errors as `read_text`."""
    try:
        return decoded(data)
    except ValueError as fault:
        fix = "save it as UTF-8" if "UTF" in str(fault) else fix
        raise error(what, where=path, expected=expected or "text in UTF-8", got=str(fault), fix=fix) from fault


def read_bytes(
    path: Path,
    *,
    what: str,
    expected: str | None = None,
    fix: str | None = None,
    error: type[SelfDepthError] = DataError,
    name: str,
) -> bytes:
    """The bytes of a file, or of a pipe to its end, if they are within a limit. Args and errors as `read_text`."""
    unit, data = _BYTES[name.rpartition("_")[2]], b""
    try:
        with open_waiting(path) as file:
            size = os.fstat(file.fileno()).st_size
            # A device or a pipe states no size, and may have no end.
            while size <= limit(name) * unit and (chunk := file.read(max(size, _CHUNK))):
                data = data + chunk if data else chunk
                size = max(size, len(data))
    except (OSError, ValueError) as fault:  # a name with a NUL byte is a ValueError
        raise error(what, where=path, expected=expected, got=reason(fault), fix=fix) from fault
    require_within(name, size / unit, what=f"{what}: the file is too large", where=path, error=error)
    return data


def open_regular(path: Path) -> BinaryIO:
    """An existing file, opened to be read. A pipe or a device is refused: it may have no end, or never begin.

    Raises:
        OSError: if it cannot be opened, or is no regular file.
    """
    file = _open_at_once(path)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "a pipe or a device, which is no file")
    return file


def open_waiting(path: Path) -> BinaryIO:
    """As `open_regular`, and a pipe or a device, too: such as those that a shell gives in place of a file.

    Raises:
        OSError: also for a pipe into which nobody writes.
    """
    file = _open_at_once(path)
    try:
        if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            _await_writer(file.fileno())
        os.set_blocking(file.fileno(), True)
    except OSError:
        file.close()
        raise
    return file


def _open_at_once(path: Path) -> BinaryIO:
    # Otherwise the call would wait until somebody opens the other end of a pipe, which may be never.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def _await_writer(pipe: int) -> None:
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    # Somebody may write, and may do so later than we wait: then there is nothing to read yet, but no end either.
    if not poller.poll(1000 * _WAIT_S):
        with suppress(BlockingIOError):
            os.read(pipe, 1)
            raise OSError(errno.EPIPE, "a pipe into which nobody writes")


def decoded(data: bytes) -> str:
    """The text that these bytes are in UTF-8, as `read_text` returns it.

    Raises:
        ValueError: for anything else; its text is the `got` of a sentence.
    """
    for mark, encoding in _OTHER_MARKS:
        if data.startswith(mark):
            raise ValueError(f"text in {encoding}")
    if b"\0" in data:
        raise ValueError("zero bytes, as in UTF-16 or in a file that is no text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise ValueError(f"no UTF-8: byte 0x{data[fault.start]:02x} in line {line}") from fault
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(
    path: Path, *, what: str, fix: str | None = None, error: type[SelfDepthError] = DataError
) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        what, fix, error: as in `read_text`.

    Raises:
        SelfDepthError: of the kind `error`, as in `read_text`, and for text that is not a JSON object, names a field
            twice, holds a number that is too long, or is nested too deep.
    """
    text = read_text(path, what=what, fix=fix, error=error, name="json_megabytes")
    return parse_json(text, what=what, where=path, fix=fix, error=error)


def parse_json(
    text: str, *, what: str, where: str | Path, fix: str | None = None, error: type[SelfDepthError] = DataError
) -> dict[str, Any]:
    """The JSON object in a text. Args and errors as `read_json`."""
    digits = limit("digits")
    try:
        values = json.loads(
            text,
            object_pairs_hook=_without_twins,
            parse_int=_at_most(digits, int),
            parse_float=_at_most(digits, float),
        )
    except (ValueError, RecursionError) as fault:
        got = "lists in lists in lists, too deep" if isinstance(fault, RecursionError) else str(fault)
        raise error(what, where=where, expected="a JSON object", got=got, fix=fix) from fault
    if not isinstance(values, dict):
        raise error(what, where=where, expected="a JSON object", got=f"a JSON {type(values).__name__}", fix=fix)
    return values


def whole_number(text: str, most: int = _LARGEST_WHOLE) -> int | None:
    """The number that decimal digits are; None for any other text, and for a number above `most`."""
    # Digits are counted first: Python refuses to convert thousands of them, with an error of its own.
    if not (text.isdecimal() and len(text.lstrip("0")) <= len(str(most))):
        return None
    number = int(text.lstrip("0") or "0")
    return number if number <= most else None


def reason(fault: BaseException) -> str:
    """What an exception of a library says, in one line."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200] or type(fault).__name__


@contextmanager
def decoding(refusal: Callable[[str], SelfDepthError]) -> Iterator[None]:
    """A block in which a library decodes a stranger's bytes: whatever it raises on damaged ones becomes one refusal.

    Args:
        refusal: makes the error, given the reason. Errors of ours pass as they are.
    """
    try:
        yield
    except SelfDepthError:
        raise
    except MemoryError as fault:
        raise refusal("more than the memory holds") from fault
    except Exception as fault:  # zipfile, numpy, scipy and torch raise nearly anything, from EOFError to KeyError
        raise refusal(reason(fault)) from fault


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        twin = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twin[:60]!r} twice in one object")
    return values


def _at_most(digits: int, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        if len(text) > digits:
            raise ValueError(f"a number of {len(text):,} digits")
        return convert(text)

    return checked
