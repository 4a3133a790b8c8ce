"""Make tables from the JSON of `speed.py`, so that no number is typed by hand.

    python benchmarks/report.py benchmarks/results/speed.json

writes `speed.md` beside it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD = ("what", "unit", "ours", "yardstick", "times better", "floor", "share")


def table(document: Mapping[str, Any]) -> str:
    """All rows as aligned text."""
    lines = [_HEAD, *_cells(document)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def ceilings_line(document: Mapping[str, Any]) -> str:
    """The machine's ceilings in one line."""
    c = document["ceilings"]
    return (
        f"Ceilings, {document['machine']['threads']} threads: 3x3 convolutions forward and backward "
        f"{c['fp32_step_gflops']:.0f} GFLOP/s in fp32, {c['bf16_step_gflops']:.0f} in bf16; "
        f"forward alone {c['fp32_forward_gflops']:.0f} and {c['bf16_forward_gflops']:.0f}; "
        f"memory {c['memory_gb_per_s']:.1f} GB/s"
    )


def page(document: Mapping[str, Any]) -> str:
    """The measurement as a page of Markdown."""
    machine, setting = document["machine"], document["setting"]
    head = "| " + " | ".join(_HEAD) + " |"
    rows = ["| " + " | ".join(cells) + " |" for cells in _cells(document)]
    floors = [
        f"- {row['what']}: {row['floor_is']}"
        for section in _sections(document)
        for row in section["rows"]
        if row["floor"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    changed = ", with changes that are not committed" if document["changed_since_commit"] else ""
    return "\n".join(
        [
            "# Speed",
            "",
            "Written by `report.py` from a run of `speed.py`. Medians; in brackets the smallest and the largest value.",
            "The ratio is taken pair by pair, as both sides take turns. What is measured: [benchmarks](../README.md).",
            *(["", "**A trial with tiny sizes, not a measurement.**"] if document["quick"] else []),
            "",
            head,
            "|" + "---|" * len(_HEAD),
            *rows,
            "",
            f"{setting['width']}x{setting['height']}, {_choices(document)}. {ceilings_line(document)}.",
            "",
            "Floors:",
            "",
            *floors,
            "",
            f"- Machine: {machine['cores']} cores, {machine['cpu']} ({machine['capability']}), "
            f"{machine['memory_gb']} GB, {machine['gpu'] or 'no GPU'}; load before: {machine['load_before']}.",
            f"- Versions: {versions}.",
            f"- Commit: {document['commit']}{changed}.",
            f"- Rounds: {setting['rounds']}, of at least {setting['round_s']} s for each side.",
            "",
        ]
    )


def _choices(document: Mapping[str, Any]) -> str:
    step = document.get("train_step")
    if step is None:
        return f"precision {document['setting']['precision']}"
    return f"training in {step['precision']}, {'compiled' if step['compiled'] else 'not compiled'}"


def _sections(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (value for value in document.values() if isinstance(value, dict) and "rows" in value)


def _cells(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for section in _sections(document):
        for row in section["rows"]:
            share = row["share_of_floor"]
            yield (
                row["what"],
                row["unit"],
                _spread(row["ours"]),
                _spread(row["plain"]),
                _spread(row["ratio"]),
                "" if row["floor"] is None else _number(row["floor"]),
                "" if share is None else f"{100 * share:.2g} %",
            )


def _spread(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return ""
    median, low, high = (_number(spread[name]) for name in ("median", "low", "high"))
    return median if low == high else f"{median} ({low}-{high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main(argv: Sequence[str] | None = None) -> Path:
    """Write the page beside the JSON file. Returns its path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="JSON file that speed.py wrote")
    file: Path = parser.parse_args(argv).file
    path = file.with_suffix(".md")
    path.write_text(page(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
