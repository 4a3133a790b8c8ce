"""Make the table of `modes.sh` from the JSON files that it wrote.

python benchmarks/modes_table.py OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from selfdepth.evaluation.depth.metrics import METRICS

MODES = {"mono": "M", "stereo": "S", "mono-stereo": "MS", "monodepth-v1": "Monodepth v1"}


def table(folder: Path) -> str:
    """The errors of each mode that was evaluated and of the best constant depth as Markdown; those of metric depth
    without scaling, too."""
    rows = []
    for mode, name in MODES.items():
        file = folder / f"{mode}.json"
        if not file.is_file():
            continue
        errors = json.loads(file.read_text(encoding="utf-8"))
        rows.append((f"{name}, each image at its true median", errors))
        if "without_median_scaling" in errors:
            rows.append((f"{name}, not scaled: metres", errors["without_median_scaling"]))
        constant = errors["baseline"]  # of the ground truth, so the same for every mode
    rows.append((f"best constant depth ({constant['depth_m']:.1f} m)", constant))
    lines = [f"| | {' | '.join(METRICS)} |", f"|---|{'---|' * len(METRICS)}"]
    lines += [f"| {name} | {' | '.join(f'{values[metric]:.3f}' for metric in METRICS)} |" for name, values in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
