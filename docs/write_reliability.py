"""Writes docs/reliability.md from benchmarks/results/fuzz.json (`make fuzz`) and faults.json (`make faults`).

python docs/write_reliability.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("reliability.md")
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks/results"

Row = dict[str, Any]

HEAD = """# What you can rely on

`docs/write_reliability.py` writes this page from `benchmarks/results/faults.json` and `fuzz.json`; edit the script,
not the page.

A run is never lost, and a bad file never does more than give one sentence. What is promised about files from strangers,
with the limits on sizes and how to raise them, is in [SECURITY.md](../SECURITY.md). Each promise is tried by a harness
in the repository; a small part of it runs in `make test`.
"""

FAULTS = """
## Faults

Processes are killed, terminals closed, power is cut, disks are full, read-only, or give less than was asked for:
`make faults`. The disks are the real one behind `tests/faults/disk.c`, which answers the system calls of a process.
"""

FUZZ = """
## Hostile and damaged files

Files that our own tools made are mutated and read again: flipped bits, cut, spliced and repeated pieces, other numbers,
lengths and encodings, escape sequences. Each try must end in success or in one sentence of ours, within 20 s and 2 GB.
`make fuzz` repeats the tries of a seed, and `make fuzz TRIES=100000 SEED=1000000` makes new ones. Every kind of file
has its reader in `tests/fuzz/readers.py`.
"""

NOT_RUN = "\nThese tries have not been run yet.\n"


def main() -> None:
    """Write the file."""
    FILE.write_text(text(read("faults.json"), read("fuzz.json")), encoding="utf-8")


def read(name: str) -> Any:
    """The values of a file of results; None if it has not been measured yet."""
    path = RESULTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def text(faults: Any, fuzz: Any) -> str:
    """The whole page.

    Args:
        faults: rows, or an object that has them under "rows"; None if not measured.
        fuzz: as `fuzz.run` writes it; None if not measured.
    """
    parts = [HEAD, FAULTS, _table(_rows(faults)), FUZZ, _table(_rows(fuzz))]
    if fuzz is not None:
        peak = max(reader["peak_mb"] for reader in fuzz["readers"].values())
        machine = fuzz["machine"]
        parts.append(
            f"\nMeasured at commit {fuzz['commit']} on {machine['system']}, Python {machine['python']}; the largest "
            f"resident memory was {peak:,.0f} MB, of which the libraries take most.\n"
        )
    return "".join(parts)


def _rows(document: Any) -> list[Row]:
    if document is None:
        return []
    rows: list[Row] = document if isinstance(document, list) else document["rows"]
    return rows


def _table(rows: list[Row]) -> str:
    if not rows:
        return NOT_RUN
    lines = ["", "| promise | how it is tested | tries | survived |", "|---|---|---|---|"]
    total = {name: sum(row[name] for row in rows) for name in ("tries", "survived")}
    lines += [
        f"| {row['promise']} | {row['tested']} | {row['tries']:,} | {row['survived']:,} |"
        for row in (*rows, {"promise": "**all**", "tested": "", **total})
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
