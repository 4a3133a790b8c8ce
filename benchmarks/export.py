"""Measure exports: each runtime and precision beside the original, in parity, bytes, and milliseconds on this CPU.

    python benchmarks/export.py --model runs/kitti --edge runs/edge --data kitti_raw

Every export is made as `selfdepth export` makes it, with its parity report on frames of --data at the model's own size
(int8 is calibrated on those of --calibrate, or else of --data, too). Then all of them, and the original in fp32 and in
the precision that it chooses itself, take turns on one 640x192 frame. --edge is a model of the preset for edge devices;
without it, its row is of untrained decoder weights: times and bytes are then the same, parity and errors mean nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from measuring import BENCHMARKS, Setting, Spread, facts, in_turns, write_json
from selfdepth.config import ResolvedConfig
from selfdepth.errors import SelfDepthError
from selfdepth.export.frames import as_input
from selfdepth.export.graphs import network_to_export
from selfdepth.export.run import ExportOptions, export_model
from selfdepth.export.targets import TARGETS, FormatName
from selfdepth.inference.predictor import Predictor
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.presets import PRESETS
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.weights.exported import ExportPrecision
from selfdepth.weights.files import LoadedWeights, WeightsMeta, load_weights, save_weights

EDGE = "mono-320x96-edge"
WIDTH, HEIGHT = 640, 192
"""Of the frame whose milliseconds are measured."""
KINDS: tuple[tuple[FormatName, ExportPrecision], ...] = tuple(
    (name, precision) for name, target in TARGETS.items() for precision in target.precisions
)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the file. Returns the document that it holds."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    kinds = [each for each in KINDS if args.only is None or each[0] in args.only]
    document: dict[str, Any] = {"facts": facts(), "threads": args.threads, "quick": args.quick}
    document |= {"data": args.data.name, "calibrated_on": (args.calibrate or args.data).name, "models": {}}
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as temporary:
        models = {"model": args.model, "edge": args.edge or _untrained_edge(Path(temporary) / "untrained")}
        for name, model in models.items():
            weights = load_weights(model)
            print(f"{name}: {model}", flush=True)
            document["models"][name] = {
                "encoder": weights.config.encoder.name,
                "scales": list(weights.config.encoder.scales),
                "size": f"{weights.config.width}x{weights.config.height}",
                "trained": name == "model" or args.edge is not None,
                "rows": _measured(weights, kinds, args, Path(temporary) / name),
            }
            write_json(document, args.json)
    print(table(document))
    return document


def table(document: dict[str, Any]) -> str:
    """The numbers as a table in Markdown."""
    lines = [
        "| model | runtime | precision | difference, largest | mean | abs_rel | MB | ms per frame | times ours |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, model in document["models"].items():
        ours = model["rows"]["ours fp32"]["ms"]["median"]
        for key, row in model["rows"].items():
            if "refused" in row:
                lines.append(f"| {name} | {key.replace(' ', ' | ')} | refused: {row['refused']} | | | | | |")
                continue
            cells = [*_parity_cells(row), f"{row['bytes'] / 1e6:.1f}", _spread(row["ms"])]
            faster = f"{ours / row['ms']['median']:.2f}"
            lines.append(f"| {name} | {key.replace(' ', ' | ')} | {' | '.join(cells)} | {faster} |")
    return "\n".join(lines)


def _parity_cells(row: dict[str, Any]) -> list[str]:
    if "differences" not in row:
        return ["–", "–", "–"]
    each = row["differences"]["disparity"]
    shares = [f"{each[name] / each['reference']:.1e}" for name in ("largest", "mean")]
    known = row["abs_rel"] is not None
    return [*shares, f"{row['abs_rel_ours']:.4f}, {row['abs_rel'] - row['abs_rel_ours']:+.4f}" if known else "–"]


def _spread(ms: dict[str, float]) -> str:
    return f"{ms['median']:.1f} ({ms['low']:.1f}–{ms['high']:.1f})"


def _measured(
    weights: LoadedWeights, kinds: Sequence[tuple[FormatName, ExportPrecision]], args: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """One row for each kind of export, and for the original."""
    folder.mkdir()
    large = _at_size(weights)
    image = render_drive(DriveSpec(seed=4, frames=2, width=WIDTH, height=HEIGHT)).images[0]
    n_bytes = sum(each.nbytes for name, each in weights.state.items() if name.startswith("depth_net."))
    rows: dict[str, Any] = {}
    sides: dict[str, Callable[[], object]] = {}
    for precision in ("fp32", "auto"):
        predictor = Predictor(large, device="cpu", precision=precision)
        key = "ours fp32" if precision == "fp32" else "ours auto"
        rows[key] = {"bytes": n_bytes, "arithmetic": predictor.precision}
        sides[key] = _ours(predictor, image)
    for name, precision in kinds:
        key, out = f"{name} {precision}", folder / f"{name}-{precision}{TARGETS[name].suffix}"
        print(f"  {key} …", flush=True)
        try:
            rows[key] = _exported(weights, name, precision, out, args.data, args.calibrate or args.data)
            sides[key] = _theirs(large, name, precision, out, image)
        except SelfDepthError as error:
            rows[key] = {"refused": str(error)}
    setting = Setting(rounds=1, round_s=0.0) if args.quick else Setting(rounds=args.rounds, round_s=1.0)
    for key, seconds in in_turns(sides, setting).items():
        rows[key]["ms"] = asdict(Spread.of(1e3 * each for each in seconds))
    return rows


def _exported(
    weights: LoadedWeights, name: FormatName, precision: ExportPrecision, out: Path, data: Path, calibrate: Path
) -> dict[str, Any]:
    options = ExportOptions(
        format=name,
        precision=precision,
        kind="depth",
        out=out,
        calibrate=calibrate if precision == "int8" else None,
        frames=data,  # the same for all, so that their errors can be compared
    )
    return export_model(weights, options).to_json()


def _ours(predictor: Predictor, image: UInt8[ndarray, "h w 3"]) -> Callable[[], object]:
    return lambda: predictor.predict_fitted([image])


def _theirs(
    large: LoadedWeights, name: FormatName, precision: ExportPrecision, out: Path, image: UInt8[ndarray, "h w 3"]
) -> Callable[[], object]:
    """An exported file on a frame of the measured size; one of a fixed size is written again for it."""
    target = TARGETS[name]
    if name == "executorch":
        out = out.with_name(f"large-{out.name}")
        target.write(network_to_export(large, "depth", precision), out, None)
    run = target.open(out)
    shape = np.shape(run([as_input(image)]))
    if shape != (1, 1, HEIGHT, WIDTH):
        raise RuntimeError(f"{out.name} gave {shape}")
    return lambda: run([as_input(image)])


def _at_size(weights: LoadedWeights) -> LoadedWeights:
    """The same model for frames of the measured size."""
    return replace(weights, config=ResolvedConfig.of(replace(weights.config, width=WIDTH, height=HEIGHT)))


def _untrained_edge(folder: Path) -> Path:
    """A model of the preset before its first step."""
    config = replace(PRESETS[EDGE], height=96)
    save_weights(
        folder, SelfSupervisedDepth(config).state_dict(), WeightsMeta(config=config, camera=None, scale="relative")
    )
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a trained model")
    parser.add_argument("--edge", help=f"a model that was trained with the preset {EDGE}")
    parser.add_argument("--data", type=Path, required=True, help="frames for parity and calibration, best with depth")
    parser.add_argument("--calibrate", type=Path, help="frames to calibrate int8 on; default: those of --data")
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), help="of the formats")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side, of a second each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a trial: one call of each side")
    parser.add_argument("--json", type=Path, default=BENCHMARKS / "results" / "export.json")
    return parser


if __name__ == "__main__":
    main()
