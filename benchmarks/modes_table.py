"""The table of `modes.sh`, from the JSON files that it wrote.

python benchmarks/modes_table.py OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from selfdepth.evaluation.depth.metrics import METRICS

MODES = {"mono": "M", "stereo": "S", "mono-stereo": "MS"}


def table(folder: Path) -> str:
    """Errors of each mode, those of metric depth without median scaling too, and of the best constant; in Markdown."""
    rows = []
    for mode, name in MODES.items():
        found = json.loads((folder / f"{mode}.json").read_text(encoding="utf-8"))
        rows.append((f"{name}, each image at its true median", found))
        if "without_median_scaling" in found:
            rows.append((f"{name}, not scaled: metres", found["without_median_scaling"]))
        constant = found["baseline"]
    rows.append((f"best constant depth ({constant['depth_m']:.1f} m)", constant))
    lines = [f"| | {' | '.join(METRICS)} |", f"|---|{'---|' * len(METRICS)}"]
    lines += [f"| {name} | {' | '.join(f'{errors[metric]:.3f}' for metric in METRICS)} |" for name, errors in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
