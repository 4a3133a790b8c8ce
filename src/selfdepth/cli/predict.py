"""`selfdepth predict`: depth for images, folders and videos."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from selfdepth.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from selfdepth.inference.video import FrameSource


@dataclass(frozen=True, kw_only=True)
class PredictArgs:
    """Predict depth for images, folders of images and videos.

    Every frame gives OUT/KIND/NAME.*, NAME being the image's stem or the frame's number; a video goes to
    OUT/video.mp4. Where names of several inputs collide, each input gets a folder of its own.
    """

    model: tyro.conf.Positional[str]
    """Run folder, weights folder, or Hugging Face hub name."""
    inputs: tyro.conf.Positional[tuple[str, ...]]
    """Images, folders of images, videos; any number, mixed."""
    out: str
    """Folder for the results; nothing is written elsewhere."""
    save: tuple[Literal["color", "npz", "png16", "mp4"], ...] = ("color",)
    """color: disparity in colours, near is bright. npz: depth, disparity, scale, and K where a camera is known.
    png16: depth * 256 in 16 bit (metres if metric, else the model's own unit). mp4: input above disparity."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the inputs, fov:DEGREES, or a YAML file. Default: the model's, where it fits."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """The network's arithmetic. auto: bf16 where the processor is faster in it."""
    batch_size: int = 8
    """Frames per pass of the network."""


def predict(args: PredictArgs) -> None:
    """Run the verb: read MODEL, predict every input, say what was written.

    Raises:
        SelfDepthError: for a model, input, option or place that cannot be used.
    """
    _check(args)
    from selfdepth.cli.inputs import open_inputs
    from selfdepth.cli.progress import progress
    from selfdepth.inference.files import require_writable
    from selfdepth.inference.predictor import Predictor
    from selfdepth.inference.video import output_paths, save_predictions
    from selfdepth.inference.weights import unit_in_words

    sources = open_inputs(args.inputs, camera=args.camera)
    kinds, out = tuple(dict.fromkeys(args.save)), Path(args.out).expanduser()
    own_folders = len(sources) > 1 and ("mp4" in kinds or _names_collide(sources))
    folders = [out / source.name if own_folders else out for source in sources]
    originals = {file.resolve() for source in sources for file in source.files}
    for source, folder in zip(sources, folders, strict=True):
        for path in output_paths(source, folder, kinds):
            if path.resolve() in originals:
                raise OutputError("the result would replace an input", where=path, fix="give another --out")

    require_writable(out, option="--out")
    predictor = Predictor.load(args.model, device=args.device, precision=args.precision)
    total = sum(len(source.names) for source in sources)
    with progress("predicting", total, "frames") as advance:
        counts = [
            save_predictions(predictor, source, folder, kinds, batch_size=args.batch_size, advance=advance)
            for source, folder in zip(sources, folders, strict=True)
        ]
    unit = unit_in_words(predictor.scale, predictor.metres_per_unit)
    frames = "1 frame" if sum(counts) == 1 else f"{sum(counts)} frames"
    sys.stdout.write(f"wrote {', '.join(kinds)} for {frames} to {args.out}; the depth is {unit}\n")


def _check(args: PredictArgs) -> None:
    if not args.inputs:
        raise ConfigError("nothing to predict", where="INPUT", expected="images, folders or videos")
    if not args.save:
        raise ConfigError("nothing to save", where="--save", expected="one or more of color, npz, png16, mp4")
    if args.batch_size < 1:
        raise ConfigError("option out of range", where="--batch-size", expected="at least 1", got=str(args.batch_size))
    place = Path(args.out).expanduser()
    if next((folder for folder in (place, *place.parents) if folder.is_file()), None):
        raise OutputError("the place for the results is a file", where=place, fix="give a folder as --out")


def _names_collide(sources: list[FrameSource]) -> bool:
    names = [name for source in sources for name in source.names]
    return len(set(names)) < len(names)
