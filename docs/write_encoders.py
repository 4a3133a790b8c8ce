"""Writes docs/encoders.md from benchmarks/results/encoders.json, which benchmarks/encoders.py measures.

python docs/write_encoders.py
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

FILE = Path(__file__).with_name("encoders.md")
MEASURED = Path(__file__).resolve().parents[1] / "benchmarks/results/encoders.json"

Document = dict[str, Any]

HEAD = """# Encoders, measured

`docs/write_encoders.py` writes this page from `benchmarks/results/encoders.json`; edit the script, not the page.

Any timm model with features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image is an encoder: `--encoder.name NAME`. Which
one is worth it on a machine without a GPU? Each was measured in the same way.
"""

CHOICE_IS = {
    "fastest": "the shortest prediction",
    "smallest": "of the others, the fewest parameters",
    "best": "the smallest error after the same time of training",
}


PRESET_OF = {"fastest": "mono-192x64-fastest", "smallest": "mono-192x64-smallest", "best": "mono-192x64"}
"""The presets with the encoders of these names."""


def main() -> None:
    """Write the file."""
    FILE.write_text(text(json.loads(MEASURED.read_text(encoding="utf-8"))), encoding="utf-8")


def text(document: Document) -> str:
    """The whole page."""
    return "".join((HEAD, _choices(document), _table(document), _how(document)))


def choices(document: Document) -> dict[str, str]:
    """The encoder of each name in CHOICE_IS, as far as there are encoders that beat the best constant depth.

    An encoder that learned nothing in the given time is no choice, however fast it is. The three differ: where the
    fastest is also the best, `best` is left out.
    """
    encoders = {
        name: entry for name, entry in finished(document).items() if error_of(entry) < document["constant_abs_rel"]
    }

    def time_ms(name: str) -> float:
        return float(encoders[name]["predict_ms"]["median"])

    chosen: dict[str, str] = {}
    if encoders:
        chosen["fastest"] = min(encoders, key=time_ms)
        best = min(encoders, key=lambda name: error_of(encoders[name]))
        others = encoders.keys() - {chosen["fastest"], best}
        if others:
            chosen["smallest"] = min(sorted(others), key=lambda name: float(encoders[name]["parameters_m"]))
        if best != chosen["fastest"]:
            chosen["best"] = best
    return chosen


def finished(document: Document) -> dict[str, Any]:
    """The encoders that were measured completely, the fastest prediction first."""
    n_seeds = len(document["settings"]["seeds"])
    whole = {
        name: entry
        for name, entry in document["encoders"].items()
        if "predict_ms" in entry and entry["depth"] and all(len(runs) == n_seeds for runs in entry["depth"].values())
    }
    return dict(sorted(whole.items(), key=lambda pair: float(pair[1]["predict_ms"]["median"])))


def error_of(entry: dict[str, Any]) -> float:
    """abs_rel of an encoder from its better start, the mean over the seeds."""
    return min(mean(float(run["abs_rel"]) for run in runs.values()) for runs in entry["depth"].values())


def _choices(document: Document) -> str:
    chosen = choices(document)
    lines = ["\n## Three choices\n"]
    for name, rule in CHOICE_IS.items():
        if name in chosen:
            entry = document["encoders"][chosen[name]]
            numbers = f"{entry['predict_ms']['median']:.1f} ms, abs_rel {error_of(entry):.3f}"
            lines.append(f"- **{name}**: `{chosen[name]}`, {numbers} ({rule}); preset `{PRESET_OF[name]}`")
        else:
            lines.append(f"- **{name}**: none ({rule}; no other encoder in the table is better than a constant depth)")
    return "\n".join(lines) + "\n"


def _table(document: Document) -> str:
    heads = ["encoder", "parameters, M", "training, clips/s", "prediction, ms", "peak memory, MB"]
    heads += ["steps", "abs_rel, random weights", "abs_rel, ImageNet weights"]
    lines = ["\n## The table\n", f"| {' | '.join(heads)} |", f"|---|{'--:|' * (len(heads) - 1)}"]
    for name, entry in finished(document).items():
        depth = entry["depth"]
        steps = [str(round(mean(run["steps"] for run in runs.values()))) for runs in depth.values()]
        cells = (
            f"`{name}`",
            f"{entry['parameters_m']:.1f}",
            _spread(entry["clips_per_s"]),
            _spread(entry["predict_ms"]),
            f"{entry['peak_mb']:.0f}",
            ", ".join(steps),
            _errors(depth.get("scratch")),
            _errors(depth.get("imagenet")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    constant = f"{document['constant_abs_rel']:.3f}"
    lines.append(
        f"\nThe best constant depth has an abs_rel of {constant}: an encoder that does not beat it learned nothing."
    )
    return "\n".join(lines) + "\n"


def _how(document: Document) -> str:
    settings, facts = document["settings"], document["facts"]
    machine, versions = facts["machine"], facts["versions"]
    data = "ten rendered streets, judged on another one" if settings["data"] is None else f"`{settings['data']}`"
    seeds = ", ".join(map(str, settings["seeds"]))
    size = f"{settings['width']}x{settings['height']}"
    loads = [entry["load_before"] for entry in finished(document).values()]
    load = f"Load before each encoder: {min(loads):g} to {max(loads):g}." if loads else ""
    return f"""
## How it was measured

- **Parameters**: of the depth network, encoder and decoder. The pose network comes on top in training; predicting needs
  none.
- **Training and prediction** at {size}, medians with the smallest and largest of several rounds in brackets: the whole
  training step on a batch in memory, and the depth of one image of that size in memory.
- **Peak memory**: of a fresh process that takes three training steps; its imports take {_import_mb(document)} MB.
- **abs_rel**: after {settings["minutes"]:g} minutes of training each, preset `{settings["preset"]}`, last weights, on
  {document["held_out"]} held-out frames, each at its true median; seeds {seeds}. Data: {data}.
  In an equal time a faster encoder takes more steps; the column "steps" says how many, for each start.
- **Start**: random weights; and ImageNet weights where they are installed with the package. Those of the others would
  have to be downloaded. Among random weights the differences are those of one seed: they rank nothing.
- **Machine**: {machine["cores"]} cores of {machine["cpu"]} ({machine["capability"]}), {machine["threads"]} threads,
  {machine["memory_gb"]:g} GB, {"no GPU" if machine["gpu"] is None else machine["gpu"]}. {load}
  Versions: Python {versions["python"]}, torch {versions["torch"]}, timm {versions["timm"]}. Commit: {facts["commit"]}.

```bash
{_command(settings)}
python docs/write_encoders.py
```
"""


def _command(settings: dict[str, Any]) -> str:
    """What repeats the measurement; options that the program has a default for only where another value was given."""
    words = ["python benchmarks/encoders.py", f"--minutes {settings['minutes']:g}"]
    words.append(f"--seeds {' '.join(map(str, settings['seeds']))}")
    usual = {"width": 320, "height": 96, "batch_size": None, "preset": "mono-320x96"}
    unusual = [name for name in (*usual, "data", "split", "camera") if settings[name] != usual.get(name)]
    words += [f"--{name.replace('_', '-')} {settings[name]}" for name in unusual]
    return " ".join(words)


def _import_mb(document: Document) -> str:
    values = [entry["imported_mb"] for entry in finished(document).values()]
    return f"{mean(values):.0f}" if values else "some"


def _spread(value: dict[str, float]) -> str:
    return f"{value['median']:.1f} ({value['low']:.1f}–{value['high']:.1f})"


def _errors(runs: dict[str, dict[str, float]] | None) -> str:
    if not runs:
        return "–"
    values = [run["abs_rel"] for run in runs.values()]
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
