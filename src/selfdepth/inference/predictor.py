"""Depth from images with a trained model.

import selfdepth
predictor = selfdepth.load("runs/street")
depth = predictor.predict("street.jpg").depth
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from selfdepth.data.readers.images import read_image
from selfdepth.device import Precision, memory_errors, resolve_device, resolve_precision
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, resample
from selfdepth.inference.fold import for_prediction
from selfdepth.structs import DepthPrediction
from selfdepth.weights.files import LoadedWeights, depth_network, load_weights

ImageLike = str | Path | Image.Image | ndarray
"""A file, a PIL image, or RGB pixels: uint8, height x width x 3."""

MIN_SIDE_PX = 16
"""Smaller images hold nothing that depth could be seen in."""


class Predictor:
    """A depth network ready to be used. Predictions do not depend on each other; threads may share one.

    Attributes:
        width, height: size in pixels at which the network sees every image.
        scale: "metric" if depths are metres, else "relative".
        metres_per_unit: what turns depths into metres, where that is known: 1 if they are, 5.4 for models trained with
            the nominal stereo baseline.
        depth_range: the depths that the network can express, in its own unit.
        camera: of the frames that were trained on, at their original size, or None if not known.
        device: where the network runs.
    """

    def __init__(self, weights: LoadedWeights, *, device: str = "auto", precision: Precision = "auto") -> None:
        config = weights.config
        self.width, self.height = config.width, config.height
        self.depth_range = config.loss.depth_range
        self.scale = weights.scale
        self.metres_per_unit = config.metres_per_unit
        # A crop at training leaves a camera for the cropped frames, which is not that of the whole ones.
        self.camera = None if config.crop_px else weights.camera
        self.device = resolve_device(device)
        self._dtype = resolve_precision(precision, self.device)
        network = for_prediction(depth_network(weights).requires_grad_(False), self._dtype).to(self.device)
        self._network = network.to(memory_format=torch.channels_last)

    @staticmethod
    def load(model: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Predictor:
        """Read a model: a run, weights or published folder, a published model's name, or a Hugging Face hub name.

        Args:
            device: auto, cpu, cuda, cuda:1, mps.
            precision: auto, fp32 or bf16; the network's arithmetic alone, all else is fp32.

        Raises:
            CheckpointError: for a model that cannot be read.
            ConfigError: for a device or precision that is not there.
        """
        return Predictor(load_weights(model), device=device, precision=precision)

    def predict(self, image: ImageLike, camera: Camera | None = None) -> DepthPrediction:
        """Depth of one image at its own resolution.

        Args:
            image: a file, a PIL image, or RGB pixels in uint8; of any size and aspect.
            camera: its intrinsics, passed on to the prediction. Default: the training camera, where the image
                has the aspect of the training images (within 1 %).

        Raises:
            DataError: for what is not such an image, or a camera for images of another size.
        """
        pixels = as_pixels(image)
        if camera is not None and (camera.height, camera.width) != pixels.shape[:2]:
            raise DataError(
                "the camera belongs to images of another size",
                expected=f"a camera for {pixels.shape[1]}x{pixels.shape[0]}",
                got=f"{camera.width}x{camera.height}",
            )
        return self._predict_pixels([pixels], camera)[0]

    def predict_batch(self, images: Sequence[ImageLike]) -> list[DepthPrediction]:
        """Depth of several images in one pass of the network; their sizes may differ. Raises as `predict`."""
        return self._predict_pixels([as_pixels(image) for image in images], None) if images else []

    def predict_stream(self, images: Iterable[ImageLike], batch_size: int = 8) -> Iterator[DepthPrediction]:
        """Depth of any number of images, in their order, `batch_size` at a time. Raises as `predict`."""
        iterator = iter(images)
        while batch := list(itertools.islice(iterator, batch_size)):
            yield from self.predict_batch(batch)

    def _predict_pixels(
        self, images: Sequence[UInt8[ndarray, "_h _w 3"]], camera: Camera | None
    ) -> list[DepthPrediction]:
        small = np.stack([resample(image, self.width, self.height) for image in images])
        with torch.inference_mode(), memory_errors("give a smaller --batch-size"):
            disparities = self._disparities(torch.from_numpy(small))
            full = [
                _resize_disparity(disparity, height=image.shape[0], width=image.shape[1])
                for disparity, image in zip(disparities, images, strict=True)
            ]
        return [
            DepthPrediction(
                depth=1 / disparity,
                disparity=disparity,
                scale=self.scale,
                camera=camera or self.training_camera(height=disparity.shape[0], width=disparity.shape[1]),
            )
            for disparity in full
        ]

    def _disparities(self, images: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 1 _h _w"]:
        # The channels are last in the pixels as they are: permuting the axes gives the layout convolutions like.
        frames = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        low_precision = self._dtype != torch.float32
        with torch.autocast(self.device.type, dtype=self._dtype, enabled=low_precision):
            finest: Tensor = self._network(frames)[0]
        return self.depth_range.disparity(finest.float())

    def training_camera(self, *, height: int, width: int) -> Camera | None:
        """The camera of the training frames for images of this size; None where it is not known or does not fit."""
        if self.camera is None or not self.camera.has_aspect_of(width, height):
            return None
        return self.camera.resized(width, height)


def load(model: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Predictor:
    """The same as `Predictor.load`."""
    return Predictor.load(model, device=device, precision=precision)


def as_pixels(image: ImageLike) -> UInt8[ndarray, "h w 3"]:
    """RGB pixels of a file, a PIL image or an array.

    Raises:
        DataError: for an array that is not uint8 "h w 3", for fewer than 16 pixels a side, or a broken file.
    """
    if isinstance(image, (str, Path)):
        pixels, where = read_image(Path(image)), str(image)
    else:
        where = f"a {type(image).__name__}"
        pixels = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else image
    if not isinstance(pixels, ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        is_array = isinstance(pixels, ndarray)
        raise DataError(
            "this is not an image",
            where=where,
            expected="a file, a PIL image, or an array of uint8, height x width x 3, RGB",
            got=f"{pixels.dtype} of shape {pixels.shape}" if is_array else type(pixels).__name__,
        )
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        raise DataError(
            "the image is too small",
            where=where,
            expected=f"at least {MIN_SIDE_PX} pixels a side",
            got=f"{pixels.shape[1]}x{pixels.shape[0]}",
        )
    return np.ascontiguousarray(pixels)


def _resize_disparity(disparity: Float[Tensor, "1 h w"], *, height: int, width: int) -> Float[ndarray, "height width"]:
    # The disparity is interpolated, never the depth: across an edge it is disparity that is linear in the image.
    full = F.interpolate(disparity[None], size=(height, width), mode="bilinear", align_corners=False)
    return full[0, 0].cpu().numpy()
