"""Calibration files in XML, as OpenCV's FileStorage writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from selfdepth.data.readers.camera_entries import KINDS, MAX_DEPTH, MAX_NODES, UNREADABLE, is_number
from selfdepth.errors import DataError
from selfdepth.limits import require_within
from selfdepth.texts import reason

_ROOT = "opencv_storage"
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class _Element:
    name: str
    text: str = ""
    below: list[tuple[str, Any]] = field(default_factory=list)

    def value(self) -> Any:
        """Text, a list or a mapping, as YAML would have it."""
        if self.below:
            if all(name == "_" for name, _ in self.below):
                return [value for _, value in self.below]
            names = [name for name, _ in self.below]
            twin = next((name for name in names if names.count(name) > 1), None)
            if twin is not None:
                raise ValueError(f"{twin[:60]!r} twice, so that it is not clear which one holds")
            return dict(self.below)
        text = self.text.strip()
        if quoted := _STRING.fullmatch(text):
            return quoted[1]
        words = text.split()
        # Several numbers are a list, and so is what a matrix holds.
        if self.name == "data" or (len(words) > 1 and all(map(is_number, words))):
            return words
        return text


def is_xml(text: str) -> bool:
    """Whether a text is XML."""
    return text.lstrip()[:1] == "<"


def xml_document(text: str, path: Path) -> dict[str, Any]:
    """The entries of OpenCV's XML, in the form in which those of YAML come.

    Raises:
        DataError: for other XML, and for what a calibration does not need: a document type, with the entities that it
            may declare, elements deep in each other, or thousands of them.
    """
    require_within("yaml_kilobytes", len(text) / 1000, what="the camera file is too large", where=path)
    root = _Element("")
    open_elements, n = [root], 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal n
        n += 1
        if n > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES:,} elements")
        if len(open_elements) > MAX_DEPTH:
            raise ValueError("elements in elements, too deep")
        if len(open_elements) == 1 and name != _ROOT:
            raise ValueError(f"XML that begins with <{name[:60]}>")
        open_elements.append(_Element(name))

    def end(name: str) -> None:
        element = open_elements.pop()
        open_elements[-1].below.append((name, element.value()))

    def characters(data: str) -> None:
        open_elements[-1].text += data

    def doctype(*_: object) -> None:
        raise ValueError("a document type (DOCTYPE), which a calibration does not need")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(text.lstrip(), True)
    except (ValueError, expat.ExpatError) as fault:
        expected = f"{KINDS}; of XML, <{_ROOT}>"
        raise DataError(UNREADABLE, where=path, expected=expected, got=reason(fault)) from fault
    (_, entries), *_ = root.below
    if not isinstance(entries, dict):
        raise DataError(
            "the camera file has no entries", where=path, expected="image_width, image_height, camera_matrix"
        )
    return entries
