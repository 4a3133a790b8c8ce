"""Depth from images with a trained model.

import selfdepth
predictor = selfdepth.load("runs/street")
depth = predictor.predict("street.jpg").depth
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.config.network_input import NetworkInput
from selfdepth.config.quantity import SHIFTED, Quantity, require_depth
from selfdepth.device import Precision, memory_errors, resolve_device, resolve_precision
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, resample
from selfdepth.geometry.crop import NO_CROP
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.geometry.ray_depth import rays_of
from selfdepth.geometry.rectify import to_frame
from selfdepth.inference.fold import for_prediction
from selfdepth.inference.pixels import ImageLike, as_pixels
from selfdepth.losses.self_teaching import confidence_of
from selfdepth.structs import DepthPrediction
from selfdepth.weights.files import depth_network
from selfdepth.weights.hub_names import at_revision
from selfdepth.weights.models import DepthModel, StatedModel, has_confidence, load_model
from selfdepth.weights.onnx_weights import OnnxWeights, device_of_onnx


class Predictor:
    """A depth network that is ready for prediction. It has no state between predictions, so threads may share it.

    Attributes:
        width, height: size in pixels to which every image is resized for the network.
        scale: "metric" if depths are in metres, else "relative"; of a calibrated model `MetricScale.word`.
        metric: the witness of the metres of a calibrated model, with the factor that its depths are multiplied by.
        metres_per_unit: factor from the depths to metres: 1 if they are in metres, 5.4 for models trained with the
            nominal stereo baseline; None if unknown.
        depth_range: the depths that can be predicted, in their unit; None if unknown, as of other people's networks.
        camera: intrinsics of the training frames at their original size; None if unknown, or if they were cropped.
        device: on which the network runs.
        trained_on_rectified: whether the training frames were rectified.
        has_confidence: whether predictions have a confidence: those of a self-taught model do.
        depth_is: "z"; or "ray", of a model that learned through a lens: the distance along the ray of each pixel.
    """

    def __init__(
        self, weights: DepthModel, *, device: str = "auto", precision: Precision = "auto", aligned_later: bool = False
    ) -> None:
        self.width, self.height = weights.fit.width, weights.fit.height
        self.metric = weights.metric
        self.scale: str = weights.scale if self.metric is None else self.metric.word
        self.has_confidence = has_confidence(weights)
        self.depth_is = weights.depth_is
        # The camera of a cropped image has another principal point, so it must not be scaled to images of other sizes.
        self.camera = None if weights.fit.crop else weights.camera
        self._fit = replace(weights.fit, crop=NO_CROP)  # frames come cropped
        self._cropped_camera = _cropped(weights)
        self.trained_on_rectified = weights.camera is not None and self._fit.rectifies(weights.camera)
        self._onnx: OnnxWeights | None = None
        if isinstance(weights, OnnxWeights):
            if not aligned_later:
                require_depth(weights.gives)
            self._onnx = weights
            self.depth_range, self.metres_per_unit = weights.depth_range, weights.metres_per_unit
            self.device, self._dtype = device_of_onnx(weights, device, precision), torch.float32
            return
        self.metres_per_unit = weights.config.metres_per_unit if self.metric is None else 1.0
        self._own_range, self._factor = weights.depth_range, 1.0 if self.metric is None else self.metric.factor
        self.depth_range = DepthRange(self._own_range.near * self._factor, self._own_range.far * self._factor)
        self.device = resolve_device(device)
        self._dtype = resolve_precision(precision, self.device)
        # Folded on the CPU before it moves to the device: once, and in float32.
        network = for_prediction(depth_network(weights).requires_grad_(False), self._dtype).to(self.device)
        self._network = network.to(memory_format=torch.channels_last)

    @property
    def has_shift(self) -> bool:
        """Whether its disparities have an unknown shift, beside an unknown factor."""
        return self._onnx is not None and self._onnx.gives == SHIFTED

    @property
    def precision(self) -> Literal["fp32", "bf16"]:
        """The arithmetic of the network. An ONNX file has its own, and the rest is fp32."""
        return "fp32" if self._dtype == torch.float32 else "bf16"

    @staticmethod
    def load(
        model: str | Path,
        *,
        revision: str | None = None,
        device: str = "auto",
        precision: Precision = "auto",
        predictions_are: Quantity | None = None,
        network_takes: str | None = None,
    ) -> Predictor:
        """Read a model: a run, weights or published folder, an ONNX file, a published model's name, or a hub name.

        Args:
            revision: of a hub's model, a branch, a tag or a commit; "owner/name@revision" says the same in one word.
            device: auto, cpu, cuda, cuda:1 or mps.
            precision: auto, fp32 or bf16, for the network alone; everything else is fp32.
            predictions_are: what an ONNX file that `selfdepth export` did not write gives: disparity, depth or
                depth-metres.
            network_takes: the images that such a file takes: "518x518", "imagenet-bgr", or both with a comma between.

        Raises:
            CheckpointError: for a model that cannot be read.
            ConfigError: for a device that the machine does not have, an unknown precision, or an ONNX file of which
                nobody says what it gives.
            DataError: for an ONNX file that is no depth network.
        """
        takes = None if network_takes is None else NetworkInput.parse(network_takes)
        stated = StatedModel(str(at_revision(model, revision)), predictions_are, takes)
        return Predictor(load_model(stated), device=device, precision=precision)

    def for_frames(self, width: int, height: int) -> Predictor:
        """The same predictor, for frames of this size in pixels.

        It is another only for an ONNX network that takes any size and states none: that gets one with their aspect.
        """
        if self._onnx is None or self._onnx.network.size is not None:
            return self
        changed = copy.copy(self)
        changed._onnx = self._onnx.for_frames(width, height)
        changed._fit = replace(self._fit, width=changed._onnx.fit.width, height=changed._onnx.fit.height)
        changed.width, changed.height = changed._fit.width, changed._fit.height
        return changed

    def predict(self, image: ImageLike, camera: Camera | None = None) -> DepthPrediction:
        """Depth of one image at its own resolution.

        Args:
            image: a file, a PIL image, or RGB pixels in uint8; of any size and aspect.
            camera: its camera, which the prediction then holds. If it has a lens, the network sees the image
                rectified, unless it was trained on frames with a lens (`--rectify no`); depth and disparity are 0
                where the image is not in the rectified view, or its pixels have no ray. Default: the training camera,
                resized, if the image has the aspect of the training frames within 1 %.

        Raises:
            DataError: for anything but such an image, or a camera for images of another size.
        """
        pixels = as_pixels(image)
        if camera is not None and (camera.height, camera.width) != pixels.shape[:2]:
            raise DataError(
                "the camera belongs to images of another size",
                expected=f"a camera for {pixels.shape[1]}x{pixels.shape[0]}",
                got=f"{camera.width}x{camera.height}",
            )
        return self.for_frames(pixels.shape[1], pixels.shape[0])._predict_pixels([pixels], [camera])[0]

    def predict_batch(
        self, images: Sequence[ImageLike], cameras: Sequence[Camera | None] | None = None
    ) -> list[DepthPrediction]:
        """Depth of several images in one forward pass; their sizes may differ. Raises what `predict` raises.

        Args:
            cameras: one for each image, as for `predict`.
        """
        pixels = [as_pixels(image) for image in images]
        return self._predict_pixels(pixels, cameras or [None] * len(pixels)) if pixels else []

    def predict_fitted(self, images: Sequence[UInt8[ndarray, "h w 3"]]) -> list[DepthPrediction]:
        """Depth of images as the network takes them: of its size, cropped and, if need be, rectified already."""
        nowhere = Camera.from_fov(60, width=self.width, height=self.height)  # a pinhole: nothing is rectified
        return [replace(each, camera=None) for each in self.predict_batch(images, [nowhere] * len(images))]

    def at_frame(
        self,
        fitted: DepthPrediction,
        disparity: Float[ndarray, "h w"],
        *,
        height: int,
        width: int,
        camera: Camera | None,
    ) -> DepthPrediction:
        """A prediction of `predict_fitted` at the pixels of the frame that the image was `fitted` from.

        Args:
            disparity: in place of its own, at its size.
            height, width: of the frame in pixels.
            camera: that `fitted` was given.
        """
        maps = [disparity] if fitted.confidence is None else [disparity, fitted.confidence]
        full, *sure = [self._at_pixels(torch.from_numpy(each)[None], (height, width), camera) for each in maps]
        depth = np.divide(1, full, out=np.zeros_like(full), where=full > 0)
        return replace(fitted, depth=depth, disparity=full, confidence=sure[0] if sure else None, camera=camera)

    def predict_stream(self, images: Iterable[ImageLike], batch_size: int = 8) -> Iterator[DepthPrediction]:
        """Depth of any number of images, in order, `batch_size` per forward pass. Raises what `predict` raises."""
        iterator = iter(images)
        while batch := list(itertools.islice(iterator, batch_size)):
            yield from self.predict_batch(batch)

    def _predict_pixels(
        self, images: Sequence[UInt8[ndarray, "_h _w 3"]], cameras: Sequence[Camera | None]
    ) -> list[DepthPrediction]:
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        known = [
            camera or self.training_camera(height=height, width=width)
            for camera, (height, width) in zip(cameras, sizes, strict=True)
        ]
        # One batch, whatever the sizes of the images, since the network sees them all at its own.
        small = np.stack([self.fitted(image, camera) for image, camera in zip(images, known, strict=True)])
        with torch.inference_mode(), memory_errors("give a smaller --batch-size"):
            disparities, confidences = self._maps(torch.from_numpy(small))
            full = [self._at_pixels(*each) for each in zip(disparities, sizes, known, strict=True)]
            sure: list[ndarray | None] = [None] * len(images)
            if confidences is not None:
                sure = [self._at_pixels(*each) for each in zip(confidences, sizes, known, strict=True)]
        return [
            DepthPrediction(
                depth=np.divide(1, disparity, out=np.zeros_like(disparity), where=disparity > 0),
                disparity=disparity,
                scale=self.scale,
                camera=camera,
                confidence=confidence,
                metric=self.metric,
                depth_is=self.depth_is,
            )
            for disparity, confidence, camera in zip(full, sure, known, strict=True)
        ]

    def fitted(self, image: UInt8[ndarray, "_h _w 3"], camera: Camera | None) -> UInt8[ndarray, "h w 3"]:
        """An image as the network takes it: resized, or rectified if its camera has a lens. It is cropped already."""
        if camera is None or camera.is_pinhole:
            return resample(image, self.width, self.height)
        return self._fit(image, camera)[0]

    def fitted_camera(self, camera: Camera) -> Camera:
        """The camera of `fitted`."""
        return self._fit.camera(camera)

    def describe_lens(self, camera: Camera | None) -> str | None:
        """A sentence on what becomes of frames of this camera; None if it has no lens."""
        return None if camera is None else self._fit.describe_lenses([camera])

    def _at_pixels(
        self, maps: Float[Tensor, "1 h w"], size: tuple[int, int], camera: Camera | None
    ) -> Float[ndarray, "_height _width"]:
        """A map of the network at the pixels of an image of this height and width; 0 at those it did not see."""
        if camera is None or camera.is_pinhole:
            return _resize(maps, size)
        if not self._fit.rectifies(camera):
            return np.where(rays_of(camera)[1], _resize(maps, size), np.float32(0))
        return to_frame(maps[None], self._fit.camera(camera), camera)[0][0, 0].cpu().numpy()

    def _maps(
        self, images: UInt8[Tensor, "b h w 3"]
    ) -> tuple[Float[Tensor, "b 1 _h _w"], Float[Tensor, "b 1 _h _w"] | None]:
        """The scaled disparities, in the unit of the predictions, and, if the model has it, their confidence."""
        if self._onnx is not None:
            return _of_onnx(self._onnx, images), None
        # Pixels come with the channels last; permuting the axes of the view gives channels_last without a copy.
        frames = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        # Autocast converts the activations between the convolutions in bf16 and the rest; the heads turn it off.
        low_precision = self._dtype != torch.float32
        with torch.autocast(self.device.type, dtype=self._dtype, enabled=low_precision):
            if not self.has_confidence:
                return self._own_range.disparity(self._network(frames)[0].float()) / self._factor, None
            disparities, log_sigmas = self._network.forward_with_log_sigma(frames)
        disparity = self._own_range.disparity(disparities[0].float())  # sigma is in this unit, too
        return disparity / self._factor, confidence_of(log_sigmas[0].float(), disparity)

    def training_camera(self, *, height: int, width: int) -> Camera | None:
        """Intrinsics of the training frames, resized to images of this size in pixels.

        None if they are unknown, or if the aspect differs. Cropped frames have one only at their own size, and only
        with a lens, without which they cannot be rectified.
        """
        cropped = self._cropped_camera
        if cropped is not None and (width, height) == (cropped.width, cropped.height):
            return cropped
        if self.camera is None or not self.camera.has_aspect_of(width, height):
            return None
        return self.camera.resized(width, height)


def load(
    model: str | Path,
    *,
    revision: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    predictions_are: Quantity | None = None,
    network_takes: str | None = None,
) -> Predictor:
    """The same as `Predictor.load`."""
    return Predictor.load(
        model,
        revision=revision,
        device=device,
        precision=precision,
        predictions_are=predictions_are,
        network_takes=network_takes,
    )


def _of_onnx(weights: OnnxWeights, images: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 1 h w"]:
    """Disparities at the size of the images: a network may give its maps at another."""
    maps = []
    for image in images.numpy():  # one by one: most networks take a batch of one
        found = torch.from_numpy(np.ascontiguousarray(weights.disparity(image)))[None, None]
        maps.append(F.interpolate(found, size=images.shape[1:3], mode="bilinear", align_corners=False)[0])
    return torch.stack(maps)


def _cropped(weights: DepthModel) -> Camera | None:
    """The camera of cropped training frames that are rectified; None for others."""
    fit, camera = weights.fit, weights.camera
    return camera.cropped(fit.crop) if camera is not None and fit.crop and fit.rectifies(camera) else None


def _resize(maps: Float[Tensor, "1 h w"], size: tuple[int, int]) -> Float[ndarray, "_height _width"]:
    # The disparity is interpolated, never the depth: on a plane it is the disparity that is linear in the image.
    full = F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)
    return full[0, 0].cpu().numpy()
