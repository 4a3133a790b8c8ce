"""Requirements of KITTI's benchmark server for depth from single images: 16-bit PNGs of metres * 256.

Its test images are depth_selection/test_depth_prediction_anonymous/image/0000000000.png to 0000000499.png.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES
from selfdepth.data.readers.pictures import image_size
from selfdepth.errors import ConfigError, DataError, OutputError
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.writers import KITTI_RANGE_M, PNG16_FACTOR

IMAGE_SIZE = (1216, 352)
"""Width and height of the benchmark's images, pixels."""
IMAGE_COUNT = 500
_IMAGES = "the folder test_depth_prediction_anonymous/image of data_depth_selection.zip"


def benchmark_factor(metres_per_unit: float | None, given: float | None, model: str) -> float:
    """The factor from a model's depth to the metres that the benchmark expects.

    Args:
        metres_per_unit: the model's own factor; None for a monocular model.
        given: value of --factor, which takes precedence.
        model: its name, for the error.

    Raises:
        ConfigError: if there is neither. Median scaling is no way out: the ground truth of the test images is not
            public.
    """
    if given is not None:
        return given
    if metres_per_unit is None:
        raise ConfigError(
            "the benchmark takes metres, and this model's depth has no unit",
            where=model,
            expected="--factor with the metres per unit",
            fix="use the scale that selfdepth evaluate depth MODEL --data KITTI_RAW --split S --part train "
            "--frames 1000 shows",
        )
    return metres_per_unit


def require_benchmark_images(sources: Sequence[PredictionInput], folder: Path) -> None:
    """Refuse inputs that are not one flat set of images of the benchmark's size.

    Args:
        folder: the output folder of the depth maps. All of it is submitted, so it must hold nothing else.

    Raises:
        DataError: for several inputs, a video, or the first image of another size or with the name of another.
        OutputError: if the folder holds other files.
    """
    if len(sources) > 1:
        raise DataError(
            "the benchmark takes one flat folder of depth maps",
            where=f"{len(sources)} inputs",
            expected=_IMAGES,
            got=", ".join(source.name for source in sources[:4]),
        )
    files, names = sources[0].files, sources[0].names
    if files[0].suffix.lower() not in IMAGE_SUFFIXES:
        raise DataError("the benchmark takes single images", where=files[0], expected=_IMAGES, got="a video")
    for file, name in zip(files, names, strict=True):
        if name != file.stem:  # open_inputs made it unique, but the server expects the stem
            raise DataError("two images would have the same depth map", where=file, expected="one image for each name")
        size = image_size(file)
        if size != IMAGE_SIZE:
            raise DataError(
                "the image does not have the benchmark's size",
                where=file,
                expected=f"{IMAGE_SIZE[0]}x{IMAGE_SIZE[1]}, as in {_IMAGES}",
                got=f"{size[0]}x{size[1]}",
            )
    maps = {f"{name}.png" for name in names}
    other = next((path for path in sorted(folder.glob("*")) if path.name not in maps), None)
    if other is not None:
        raise OutputError(
            "the folder to submit holds another file", where=other, fix="remove it, or give another --out"
        )


def describe_benchmark(count: int, folder: Path, factor: float, own: float | None) -> str:
    """A sentence for the user: what was written for the benchmark, and what is left to do.

    Args:
        count: number of depth maps.
        folder: that holds them.
        factor: by which the depths were multiplied.
        own: the model's own factor; None for a monocular model.
    """
    if own is None:
        scale = f"times {factor:g} as given"
    elif factor == own:
        scale = "the model's metres" if own == 1 else f"times {factor:g}, the model's own"
    else:
        scale = f"times {factor:g} as given, not {own:g}, the model's own"
    missing = "" if count == IMAGE_COUNT else f"; the server expects {IMAGE_COUNT}"
    maps = "1 depth map" if count == 1 else f"{count} depth maps"
    return (
        f"for KITTI's server: {maps} in {folder}, metres * {PNG16_FACTOR}, at most {KITTI_RANGE_M[1]:g} m, "
        f"{scale}{missing}. Zip the files without their folder"
    )
