"""`selfdepth predict`: depth for images, folders and videos."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.errors import ConfigError, DataError, OutputError, SelfDepthWarning

if TYPE_CHECKING:
    from selfdepth.inference.odometry import MotionPredictor
    from selfdepth.inference.predictor import Predictor
    from selfdepth.inference.save import FrameSource, SaveKind, SaveOptions
    from selfdepth.weights.files import LoadedWeights


@dataclass(frozen=True, kw_only=True)
class PredictArgs:
    """Predict depth for images, folders of images and videos.

    Each frame gives OUT/KIND/NAME.*, where NAME is the image's stem or the frame's number. Results for a whole input
    are OUT/video.mp4, OUT/drive.ply, OUT/trajectory/kitti.txt and tum.txt. Where the names of several inputs collide,
    each input gets its own folder.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), or Hugging Face hub name."""
    inputs: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="INPUT ...")]
    """Images, folders of images and videos; any number of them."""
    out: str
    """Folder for the results; nothing is written elsewhere."""
    save: tuple[Literal["color", "npz", "png16", "kitti", "mp4", "ply", "trajectory"], ...] = ("color",)
    """color: disparity in colours, near is bright. npz: depth, disparity, scale, and K where a camera is known.
    png16: depth * 256 in 16 bits (metres if metric, else the model's own unit). kitti: the form of KITTI's depth
    benchmark, metres * 256 for its 1216x352 images. mp4: the input above its disparity. ply: coloured points of each
    frame, and of a whole drive fused along its trajectory. trajectory: the path of the camera, from a video or a folder
    of numbered images, in the text formats of KITTI and TUM."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the inputs, a YAML file, or fov:DEGREES. Default: the model's, where it fits."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks. auto: bf16 where the processor is faster in it."""
    batch_size: int = 8
    """Frames per forward pass."""
    every: int | None = None
    """ply, trajectory: frames between two poses. Default: the spacing that the model was trained with."""
    factor: float | None = None
    """kitti: what the predicted depth is multiplied by to be in metres. A monocular model needs it, measured on
    training frames. Default: known for a model that learned from stereo pairs."""
    max_depth: float | None = None
    """ply: leave out points farther than this, in the depth's unit. Default: four times the first frame's median."""
    voxel: float | None = None
    """ply: edge of the cubes that hold one point each in drive.ply, in the depth's unit. Default: max_depth / 400."""


SECTIONS = {
    "input": ("model", "inputs", "camera"),
    "output": ("out", "save", "every", "factor", "max_depth", "voxel"),
    "machine": ("device", "precision", "batch_size"),
}
"""How `--help` groups the options."""


def predict(args: PredictArgs) -> None:
    """Run the verb: read MODEL, predict every input, say what was written.

    Raises:
        SelfDepthError: for a model, input, option or place that cannot be used.
    """
    _check(args)
    from selfdepth.cli.progress import progress
    from selfdepth.files import require_writable
    from selfdepth.inference.kitti_benchmark import require_benchmark_images
    from selfdepth.inference.predictor import Predictor
    from selfdepth.inference.save import check_points, save_predictions
    from selfdepth.inference.sources import open_inputs
    from selfdepth.weights.files import load_weights, unit_in_words

    sources = open_inputs(args.inputs, camera=args.camera)
    kinds, out = tuple(dict.fromkeys(args.save)), Path(args.out).expanduser()
    if "kitti" in kinds:
        require_benchmark_images(sources, out / "kitti")
    folders = _folders(sources, out, kinds)
    require_writable(out, option="--out")
    weights = load_weights(args.model)
    sources = _cropped(sources, weights, kinds)
    predictor = Predictor(weights, device=args.device, precision=args.precision)
    saving = _saving(args, kinds, predictor)
    motion = _motion(args, weights, sources, saving)
    if "ply" in kinds:
        for source in sources:
            check_points(predictor, source)
    total = sum(len(source.names) for source in sources)
    with progress("predicting", total, "frames") as advance:
        count = sum(
            save_predictions(predictor, source, folder, saving, motion=motion, advance=advance)
            for source, folder in zip(sources, folders, strict=True)
        )
    unit = unit_in_words(predictor.scale, predictor.metres_per_unit)
    frames = "1 frame" if count == 1 else f"{count} frames"
    sys.stdout.write(f"wrote {', '.join(kinds)} for {frames} to {args.out}; the depth is {unit}\n")
    if "kitti" in kinds:
        sys.stdout.write(_benchmark(count, folders[0], saving.metres_per_unit, predictor.metres_per_unit))


def _folders(sources: list[FrameSource], out: Path, kinds: tuple[SaveKind, ...]) -> list[Path]:
    """Where the results of each input go; refused where one would replace an input."""
    from selfdepth.inference.save import output_paths

    own_folders = len(sources) > 1 and ({"mp4", "ply", "trajectory"} & {*kinds} or _names_collide(sources))
    folders = [out / source.name if own_folders else out for source in sources]
    originals = {file.resolve() for source in sources for file in source.files}
    for source, folder in zip(sources, folders, strict=True):
        for path in output_paths(source, folder, kinds):
            if path.resolve() in originals:
                raise OutputError("the result would replace an input", where=path, fix="give another --out")
    return folders


def _cropped(sources: list[FrameSource], weights: LoadedWeights, kinds: tuple[SaveKind, ...]) -> list[FrameSource]:
    """Frames as the model was trained on them, but whole for KITTI's server; what is done about a crop is said."""
    from selfdepth.inference.cropped import cropped_as_trained

    crop = weights.config.crop
    if not weights.config.crop_px:
        return sources
    cropped = sources if "kitti" in kinds else [cropped_as_trained(source, weights) for source in sources]
    whole = [new.name for new, old in zip(cropped, sources, strict=True) if new is old]
    if len(whole) < len(sources):
        sys.stdout.write(f"frames are cropped by {crop} (top, bottom, left, right), as the model was trained\n")
    if whole:
        warnings.warn(
            f"the model was trained on frames without {crop} (top, bottom, left, right), and has not seen whole ones: "
            f"those of {', '.join(whole)} are taken whole, and their depth may be worse",
            SelfDepthWarning,
            stacklevel=2,
        )
    return cropped


def _saving(args: PredictArgs, kinds: tuple[SaveKind, ...], predictor: Predictor) -> SaveOptions:
    from selfdepth.inference.kitti_benchmark import benchmark_factor
    from selfdepth.inference.pointcloud import CloudLimits
    from selfdepth.inference.save import SaveOptions

    factor = benchmark_factor(predictor.metres_per_unit, args.factor, args.model) if "kitti" in kinds else 1.0
    return SaveOptions(
        kinds=kinds,
        batch_size=args.batch_size,
        clouds=CloudLimits(max_depth=args.max_depth, voxel=args.voxel),
        metres_per_unit=factor,
    )


def _benchmark(count: int, folder: Path, factor: float, own: float | None) -> str:
    from selfdepth.inference.kitti_benchmark import benchmark_in_words

    return f"{benchmark_in_words(count, folder / 'kitti', factor, own)}\n"


def _motion(
    args: PredictArgs, weights: LoadedWeights, sources: list[FrameSource], saving: SaveOptions
) -> MotionPredictor | None:
    """What follows the camera, if that is to be done. Without a pose network there are still points, frame by frame."""
    from selfdepth.data.frames import gaps_refused
    from selfdepth.inference.odometry import MotionPredictor, has_pose_network, too_few_frames

    for source in sources:
        if "trajectory" in saving.kinds and not source.continuous:
            raise DataError(
                "these images are not known to follow each other in time",
                where=source.files[0],
                expected="a video, or a folder of images whose names end in numbers",
                fix="give such inputs, or leave --save trajectory out",
            )
        if "trajectory" in saving.kinds and source.gaps:
            raise gaps_refused(source.files[0].parent, source.gaps)
    follows = any(saving.follows(source) for source in sources)
    if not follows or ("trajectory" not in saving.kinds and not has_pose_network(weights)):
        if args.every is not None:
            raise ConfigError(
                "no camera path can be computed here",
                where="--every",
                expected="a model with a pose network, and a video or a folder of numbered images",
                fix="leave it out",
            )
        return None
    motion = MotionPredictor(weights, spacing=args.every, device=args.device, precision=args.precision)
    for source in sources:
        n_poses = -(-len(source.names) // motion.spacing)
        if saving.follows(source) and 1 < n_poses < motion.plan.min_frames:
            raise too_few_frames(motion, len(source.names), where=source.name)
    return motion


def _check(args: PredictArgs) -> None:
    if not args.inputs:
        raise ConfigError("nothing to predict", where="INPUT", expected="images, folders or videos")
    if not args.save:
        raise ConfigError(
            "nothing to save", where="--save", expected="one or more of color, npz, png16, kitti, mp4, ply, trajectory"
        )
    if args.batch_size < 1:
        raise ConfigError("option out of range", where="--batch-size", expected="at least 1", got=str(args.batch_size))
    clouds, benchmark = ("ply", "point clouds"), ("kitti", "KITTI's benchmark")
    for option, value, (kind, what) in (
        ("--max-depth", args.max_depth, clouds),
        ("--voxel", args.voxel, clouds),
        ("--factor", args.factor, benchmark),
    ):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError("option out of range", where=option, expected="more than 0", got=str(value))
        if value is not None and kind not in args.save:
            raise ConfigError(f"{option} applies only to {what}", expected=f"--save {kind}", fix="leave it out")
    if args.every is not None and not {"ply", "trajectory"} & {*args.save}:
        raise ConfigError(
            "--every applies only to the path of the camera", expected="--save trajectory or ply", fix="leave it out"
        )
    place = Path(args.out).expanduser()
    if next((folder for folder in (place, *place.parents) if folder.is_file()), None):
        raise OutputError("the output folder is a file", where=place, fix="name a folder with --out")


def _names_collide(sources: list[FrameSource]) -> bool:
    names = [name for source in sources for name in source.names]
    return len(set(names)) < len(names)
