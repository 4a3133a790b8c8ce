"""An extension of griffe, which reads docstrings for the site: an entry for several names is one entry for each."""

from __future__ import annotations

import re
from typing import Any

import griffe

_SEVERAL = re.compile(r"^(?P<indent> +)(?P<names>\w+(?:, \w+)+):(?P<text>.*(?:\n(?P=indent) +.*)*)$", re.MULTILINE)


class NamesApart(griffe.Extension):
    """Give `width, height: size in pixels` an entry for each of the two, as the Google style has it."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = apart(obj.docstring.value)


def apart(text: str) -> str:
    """A docstring whose entries have one name each."""
    return _SEVERAL.sub(
        lambda entry: "\n".join(f"{entry['indent']}{name}:{entry['text']}" for name in entry["names"].split(", ")), text
    )
