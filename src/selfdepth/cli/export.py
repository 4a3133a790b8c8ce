"""`selfdepth export`: write a model in the format of other software."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.cli.printing import remark, say
from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.export.run import ExportReport
    from selfdepth.export.targets import FormatName
    from selfdepth.weights.files import LoadedWeights


@dataclass(frozen=True, kw_only=True)
class ExportArgs:
    """Write a model in the format of other software.

    All but monodepth2 are then run beside the original on real frames, in the other runtime: differences, errors,
    bytes and milliseconds are printed. An export that differs too much is refused, and leaves nothing.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), or Hugging Face hub name."""
    format: Literal["onnx", "torch", "openvino", "executorch", "monodepth2"]
    """onnx (.onnx, opset 18), torch (.pt2 of torch.export), openvino (.xml and .bin), executorch (.pte with XNNPACK);
    monodepth2: a checkpoint folder in the published format (encoder.pth, depth.pth and so on), ResNets only."""
    out: Annotated[str, tyro.conf.arg(metavar="PATH")]
    """File to write, with the ending of the format; for monodepth2 a folder."""
    network: Literal["depth", "pose"] = "depth"
    """depth: image to disparity. pose: two successive images to the motion between them."""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    """fp16 halves the file; int8 (onnx, openvino) is calibrated on your own frames."""
    calibrate: Annotated[str | None, tyro.conf.arg(metavar="DATA")] = None
    """Frames from which int8 measures its ranges: a video, a folder of images, KITTI, ... Needed with int8."""
    frames: Annotated[str | None, tyro.conf.arg(metavar="DATA")] = None
    """Frames on which export and original are compared. Default: every second one of --calibrate; else those that the
    model learned from, if they are still there; else rendered ones, with a warning."""
    licence: str | None = None
    """Licence of the data that the model learned from, to be written into the file."""


def export(args: ExportArgs) -> None:
    """Run the verb: read MODEL, write it, print where and how it compares.

    Raises:
        SelfDepthError: for a model that cannot be read, or that the format cannot hold, an output that cannot be
            written, or an export that differs too much.
    """
    from selfdepth.weights.files import depth_network, load_weights

    weights = load_weights(args.model)
    depth_network(weights)  # raises for weights that do not fit their network, before anything is written
    if args.format == "monodepth2":
        _monodepth2(weights, args)
    else:
        _network(weights, args, args.format)


def _monodepth2(weights: LoadedWeights, args: ExportArgs) -> None:
    from selfdepth.files import require_writable
    from selfdepth.weights.published import Published, write_published

    defaults = {"network": "depth", "precision": "fp32", "calibrate": None, "frames": None, "licence": None}
    given = [f"--{name}" for name, default in defaults.items() if getattr(args, name) != default]
    if given:
        raise ConfigError(
            "the published format holds both networks as they are, and nothing else",
            where=" ".join(given),
            got="--format monodepth2",
            fix="leave it out, or take another format",
        )
    out = path_of(args.out)
    require_writable(out, option="--out")
    write_published(out, Published(state=weights.state, config=weights.config, unused_entries=weights.unused_entries))
    if weights.metric is not None:
        warnings.warn(
            f"the format cannot hold the factor to metres: multiply its depth by {weights.metric.factor:.5g}",
            SelfDepthWarning,
            stacklevel=2,
        )
    say(f"wrote {args.format} to {args.out}")


def _network(weights: LoadedWeights, args: ExportArgs, name: FormatName) -> None:
    from selfdepth.export.run import ExportOptions, export_model

    report = export_model(
        weights,
        ExportOptions(
            format=name,
            precision=args.precision,
            kind=args.network,
            out=path_of(args.out),
            calibrate=_path(args.calibrate),
            frames=_path(args.frames),
            licence=args.licence,
        ),
        tell=remark,
    )
    if args.network == "depth" and weights.config.has_confidence:
        remark("the confidence of a self-taught model is not exported: the file gives its disparity alone")
    say(f"wrote {args.format} {args.precision} to {args.out}")
    for line in _lines(report):
        say(line)


def _lines(report: ExportReport) -> list[str]:
    """The report, for people."""
    parity, about = report.parity, report.about
    smaller = f"{report.n_bytes / 1e6:.2f} MB, our weights {report.n_bytes_ours / 1e6:.2f} MB"
    lines = [f"{about.kind} network, {', '.join(about.inputs)} to {', '.join(about.outputs)}; {smaller}"]
    lines += [f"compared in {report.runtime} on {report.frames}, {about.width}x{about.height}"]
    for name, each in parity.differences.items():
        if name == "rotation":
            lines += [f"{name}: largest difference {each.largest:.2g} rad, mean {each.mean:.2g} rad"]
            continue
        reference = max(each.reference, 1e-12)
        lines += [
            f"{name}: largest difference {each.largest:.2g}, mean {each.mean:.2g}; of the mean {each.reference:.3g} "
            f"these are {each.largest / reference:.2g} and {each.mean / reference:.2g}"
        ]
    if parity.abs_rel is not None:
        ours, theirs = parity.abs_rel
        lines += [f"abs_rel: {ours:.4f} before, {theirs:.4f} after ({theirs - ours:+.4f}; {parity.n_truth} frames)"]
    lines += [f"{parity.ms:.1f} ms per frame, ours {parity.ms_ours:.1f} ms (fp32, medians in turns on this CPU)"]
    return lines


def _path(text: str | None) -> Path | None:
    return None if text is None else path_of(text)
