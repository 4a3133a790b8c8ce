"""What data holds besides its frames, as `check` lists it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A table of what data holds besides its frames.

    Attributes:
        title: of the table.
        columns: their headings.
        rows: texts, one for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
