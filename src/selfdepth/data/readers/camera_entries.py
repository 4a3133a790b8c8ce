"""The entries of a calibration file, and its documents in YAML: names however they are spelled, and numbers."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.limits import VARIABLE, limit

KINDS = "a file of ours, OpenCV, ROS camera_info, Kalibr, Basalt, EuRoC, COLMAP (cameras.txt), nerfstudio or KITTI-360"
UNREADABLE = "the camera file cannot be read"
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("opencv-matrix", "map", "seq", "str", "int", "float"))
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = {".nan": "nan", ".inf": "inf", "+.inf": "inf", "-.inf": "-inf"}
_NO_SPACE = re.compile(r"^([ ]*[A-Za-z]\w*:)(?=[^\s:])", re.MULTILINE)
_CONTENT = re.compile(r"^(?![%#]|---|\.\.\.|[ \t]*$)", re.MULTILINE)
_LONG_LIST = re.compile(r"\[\s*(?:[-+.0-9eE]+\s*,\s*){100,}[-+.0-9eE]+\s*\]")
"""Numbers that are no camera's: OpenCV's calibration program writes the points that it saw in the same file."""
_SEPARATOR = re.compile(r"^(---|\.\.\.)(?=[ \t]|$)", re.MULTILINE)
MAX_DEPTH = 20
MAX_NODES, _MAX_NODES_READ = 5_000, 20_000
"""Entries of a document, of which a camera has a hundred, and of all documents: what comes later is not read."""


class Entries:
    """The entries of one document, found by their names whatever the case and the separators: `image_width` is also
    `image_Width` and `imageWidth`.

    Attributes:
        path: of the file, for errors.
        items: pairs of a key, as it is written, and its value: text, a list or a mapping.
    """

    def __init__(self, items: Iterable[tuple[str, Any]], path: Path) -> None:
        self.path, self.items = path, tuple(items)
        self._named: dict[str, list[tuple[str, Any]]] = {}
        for key, value in self.items:
            if value not in (None, ""):
                self._named.setdefault(plain(key), []).append((key, value))

    def first(self, *names: str) -> Any:
        """The value of the first of these names that has one; None if none has.

        Raises:
            DataError: if two spellings of a name have unlike values.
        """
        for found in (self._named[name] for name in map(plain, names) if name in self._named):
            (key, value), *others = found
            for other, unlike in others:
                if unlike != value:
                    raise DataError(
                        "the camera file has two entries of one name",
                        where=self.path,
                        expected=f"one value for {key}",
                        got=f"{key}: {str(value)[:40]} and {other}: {str(unlike)[:40]}",
                        fix="remove the one that is not of these frames",
                    )
            return value
        return None

    def numbers(self, *names: str) -> list[float]:
        """The numbers of `first`, as `numbers_of` reads them."""
        return numbers_of(self.first(*names), self.path)


def plain(name: str) -> str:
    """A name in lower case, with letters and digits only."""
    return "".join(filter(str.isalnum, name.casefold()))


def numbers_of(value: Any, path: Path) -> list[float]:
    """The numbers of a list, a list of rows, or a {rows, cols, data} mapping; an empty list for None."""
    if isinstance(value, dict):
        value = value.get("data")
    if value in (None, "", "null", "~"):
        return []
    rows = value if isinstance(value, list) else [value]
    return [number_of(item, path) for row in rows for item in (row if isinstance(row, list) else [row])]


def number_of(value: Any, path: Path | str) -> float:
    """The number that a text is. Raises DataError for anything else, and for more digits than the limit."""
    if not is_number(value):
        raise _no_number(value, path)
    return float(_NOT_FINITE.get(value.casefold(), value))


def is_number(value: Any) -> bool:
    """Whether a value is the text of a number."""
    if not isinstance(value, str):
        return False
    return value.casefold() in _NOT_FINITE or (len(value) <= limit("digits") and bool(_NUMBER.fullmatch(value)))


def whole_of(value: Any, path: Path | str, default: int = 0) -> int:
    """A whole number of pixels of at least 0; an absent one is the default. Raises DataError for anything else."""
    if value in (None, ""):
        return default
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value):
        raise _no_number(value, path)
    return int(value)


def _no_number(value: Any, path: Path | str) -> DataError:
    got = value if isinstance(value, str) else f"a {'mapping' if isinstance(value, dict) else 'list'}"
    return DataError(
        "the camera file has entries that are not numbers",
        where=path,
        expected=f"numbers of at most {limit('digits')} digits",
        got=f'"{got[:60]}{"..." if len(got) > 60 else ""}"',
    )


class _Loader(yaml.BaseLoader):
    """Text, lists and mappings, and nothing else: numbers are read from the text, where their length can be judged."""

    depth = nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases, which a calibration does not need")
        self.depth += 1
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise yaml.YAMLError(f"more than {MAX_NODES:,} entries")
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError("lists in lists, too deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node is not None and node.tag not in _TAGS:
            raise yaml.YAMLError(f"the tag {node.tag[:60]}")
        if isinstance(node, yaml.MappingNode):
            _refuse_twins(node)
        return node


def _refuse_twins(node: yaml.MappingNode) -> None:
    """Refuse a name that comes twice: the parser would take the last in silence."""
    names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
    if len(set(names)) < len(names):
        twin, _ = Counter(names).most_common(1)[0]
        raise yaml.YAMLError(f"{twin[:60]!r} twice, so that it is not clear which one holds")


def documents_in(text: str, path: Path) -> list[dict[str, Any]]:
    """The documents of YAML, or of JSON, that are mappings with entries.

    A document that cannot be read is left out with a warning if another can: between the messages of a topic, ROS
    prints sentences such as "A message was lost!!!", and a print that was stopped ends in the middle of one.

    Args:
        path: of the file, for errors.

    Raises:
        DataError: if there is none, or the first is too large.
    """
    text = _LONG_LIST.sub(lambda match: f"[{match[0].count(chr(10)) * chr(10)}]", text)  # lines keep their numbers
    # Of the long echo of a topic, the documents that begin within the limit.
    text = _beginning(text, path)
    if text.startswith("%YAML:"):  # OpenCV's own mark, of a YAML in which no space need follow a colon
        text = _NO_SPACE.sub(r"\1 ", text)
    # The directive would be "%YAML 1.0", and parsers reject the colon.
    text = "\n".join("" if line.startswith("%YAML") else line for line in text.splitlines())
    documents: list[dict[str, Any]] = []
    faults: list[DataError] = []
    for each in _parsed(text, path):
        if isinstance(each, DataError):
            faults.append(each)
        elif each:
            documents.append(each)
    if not documents:
        raise faults[0] if faults else _no_entries(path)
    if faults:
        warnings.warn(
            f"{path}: {len(faults)} of {len(documents) + len(faults)} documents cannot be read and are left out "
            f"(the first: {faults[0].got or faults[0].what})",
            SelfDepthWarning,
            stacklevel=5,
        )
    return documents


def _parsed(text: str, path: Path) -> Iterator[dict[str, Any] | DataError]:
    """Each document of the text, or what is wrong with it, up to a number of nodes."""
    # Split here: the parser would not go on after a fault. At the beginning of a line, a mark always ends a document.
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    n_read = line = 0
    for start, end in pairwise(starts):
        if n_read >= _MAX_NODES_READ:
            return
        piece, at = _SEPARATOR.sub("", text[start:end], count=1), line
        line += piece.count("\n")
        if not piece.strip():
            continue
        loader = None
        try:
            loader = _Loader(piece)
            loader.line = at  # faults name the line of the file
            entries = loader.get_single_data()
            if isinstance(entries, dict):
                yield entries
            elif entries not in (None, ""):
                yield _no_entries(path, got=f'"{str(entries)[:60]}"')
        except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
            got = " ".join(str(error).split())[:200]
            many = loader is not None and loader.nodes > MAX_NODES
            fix = "leave out all but the camera, such as the points that were seen" if many else None
            fault = DataError(UNREADABLE, where=path, expected=KINDS, got=got, fix=fix)
            fault.__cause__ = error
            yield fault
        n_read += 1 if loader is None else max(1, loader.nodes)


def _no_entries(path: Path, got: str | None = None) -> DataError:
    return DataError("the camera file has no entries", where=path, expected="width, height, fx, fy, cx, cy", got=got)


def _beginning(text: str, path: Path) -> str:
    most = limit("yaml_kilobytes") * 1000
    if len(text) <= most:
        return text
    content = _CONTENT.search(text)
    first = len(text) if content is None else content.start()
    whole = [match.start() for match in _SEPARATOR.finditer(text, 1, most) if match.start() > first]
    if not whole:
        raise DataError(
            "the camera file is too large",
            where=path,
            expected=f"at most {most // 1000} kilobytes",
            got=f"{len(text) / 1000:.0f} kilobytes",
            fix=f"if you trust the file, set {VARIABLE}=yaml_kilobytes={len(text) // 1000 + 1}",
        )
    return text[: whole[-1]]
