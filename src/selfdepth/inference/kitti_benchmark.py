"""What KITTI's server for depth from single images takes (16-bit PNGs, metres * 256), and from which models.

Its test images: depth_selection/test_depth_prediction_anonymous/image/0000000000.png to 0000000499.png.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfdepth.data.readers.images import IMAGE_SUFFIXES, image_size
from selfdepth.errors import ConfigError, DataError, OutputError
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.writers import KITTI_RANGE_M, PNG16_FACTOR

IMAGE_SIZE = (1216, 352)
"""Width and height of the benchmark's images, pixels."""
IMAGE_COUNT = 500
_IMAGES = "the folder test_depth_prediction_anonymous/image of data_depth_selection.zip"


def benchmark_factor(metres_per_unit: float | None, given: float | None, model: str) -> float:
    """What a model's depths are multiplied by for the benchmark.

    Args:
        metres_per_unit: what makes metres of them, where the model knows.
        given: the number to take instead; for monocular models there is no other.

    Raises:
        ConfigError: where there is none. The truth of the test images is not public, so they cannot give it either.
    """
    if given is not None:
        return given
    if metres_per_unit is None:
        raise ConfigError(
            "the benchmark takes metres, and this model's depth has no unit",
            where=model,
            expected="--factor with what makes metres of it",
            fix="take the scale that selfdepth evaluate depth MODEL --data KITTI_RAW --split S --part train "
            "--frames 1000 shows",
        )
    return metres_per_unit


def require_benchmark_images(sources: Sequence[PredictionInput], folder: Path) -> None:
    """Refuse inputs that are not one flat set of images of the benchmark's size.

    Args:
        folder: where the depth maps go. All of it is to be sent, so others must not be there.

    Raises:
        DataError: naming the first image that is not of the benchmark.
        OutputError: where other files are in the folder.
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
        raise DataError("the benchmark is about single images", where=files[0], expected=_IMAGES, got="a video")
    for file, name in zip(files, names, strict=True):
        if name != file.stem:
            raise DataError("two images would have the same depth map", where=file, expected="one image for each name")
        size = image_size(file)
        if size != IMAGE_SIZE:
            raise DataError(
                "the image is not of the benchmark's size",
                where=file,
                expected=f"{IMAGE_SIZE[0]}x{IMAGE_SIZE[1]}, as in {_IMAGES}",
                got=f"{size[0]}x{size[1]}",
            )
    maps = {f"{name}.png" for name in names}
    other = next((path for path in sorted(folder.glob("*")) if path.name not in maps), None)
    if other is not None:
        raise OutputError(
            "the folder that is to be sent holds something else", where=other, fix="remove it, or give another --out"
        )


def describe_benchmark(count: int, folder: Path, factor: float, own: float | None) -> str:
    """What was written for the benchmark, and what is left to do.

    Args:
        count: number of depth maps.
        factor: what depths were multiplied by.
        own: the model's own factor, None where it has none.
    """
    if own is None:
        scale = f"times {factor:g} as given"
    elif factor == own:
        scale = "the model's metres" if own == 1 else f"times {factor:g}, the model's own"
    else:
        scale = f"times {factor:g} as given, not {own:g}, the model's own"
    lacking = "" if count == IMAGE_COUNT else f"; the server expects {IMAGE_COUNT}"
    maps = "1 depth map" if count == 1 else f"{count} depth maps"
    return (
        f"for KITTI's server: {maps} in {folder}, metres * {PNG16_FACTOR}, at most {KITTI_RANGE_M[1]:g} m, "
        f"{scale}{lacking}. Zip the files without their folder"
    )
