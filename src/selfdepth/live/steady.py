"""Depth averaged over time, along the motion of the camera: a filter for frames as they come.

Networks see each frame alone, so their depth flickers. What the last frame said of a point is carried along by the
depth of the new frame and the motion that the pose network sees, and averaged with what the new one says: in
logarithms, and only where the two images agree. It is an exponential average, so a frame waits for no later one.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lenses import Lenses, lens_for
from selfdepth.geometry.rigid import inverse
from selfdepth.geometry.warp import project_with_depth, sample
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.structs import DepthPrediction

MEMORY = 0.8
"""Weight of the past where the images agree: an average over about five frames."""
_AGREES = 0.3
"""Photometric error, in [0, 1], at which the weight of the past has fallen to 37 %."""
_SAME = 0.25
"""Difference of two depths, in logarithms, at which it has: beyond, past and present are of different things."""


@dataclass(frozen=True, kw_only=True)
class _Past:
    """What is known of the last frames, at the network's size.

    Attributes:
        size: height and width of the frames.
        camera: of the frames, if known.
        images: the last ones, the newest last; as many as the pose network needs beside the new one.
        disparity: steady, of the newest.
    """

    size: tuple[int, int]
    camera: Camera | None
    images: tuple[UInt8[ndarray, "h w 3"], ...]
    disparity: Float[ndarray, "h w"]


class Steady:
    """`Predictor.predict` for frames that follow each other, with a steady depth. Not for several threads.

    Args:
        predictor, motion: of one model; the motion's `spacing` is not looked at.
        memory: weight of the past where the images agree, 0 to 1.
    """

    def __init__(self, predictor: Predictor, motion: MotionPredictor, *, memory: float = MEMORY) -> None:
        self._predictor, self._motion, self._memory = predictor, motion, memory
        self._past: _Past | None = None
        self._said = False

    def __call__(self, image: UInt8[ndarray, "h w 3"], camera: Camera | None) -> DepthPrediction:
        """Depth of the next frame.

        Args:
            image: RGB. Where its size or its camera changes, the past is forgotten.
            camera: as for `Predictor.predict`.

        Raises:
            DataError: as `Predictor.predict`.
        """
        height, width = image.shape[:2]
        known = camera or self._predictor.training_camera(height=height, width=width)
        small = self._predictor.fitted(image, known)
        predicted = self._predictor.predict_fitted([small])[0]
        past = self._past
        if past is not None and (past.size, past.camera) != ((height, width), known):
            past = None
        disparity = predicted.disparity
        if past is not None and len(past.images) + 1 >= self._motion.plan.min_frames:
            disparity = self._with_past(small, predicted, past, self._camera(known, width=width, height=height))
        images = (*(past.images if past else ()), small)[-max(1, self._motion.plan.min_frames - 1) :]
        self._past = _Past(size=(height, width), camera=known, images=images, disparity=disparity)
        return self._predictor.at_frame(predicted, disparity, height=height, width=width, camera=known)

    def _with_past(
        self, small: UInt8[ndarray, "h w 3"], predicted: DepthPrediction, past: _Past, camera: Camera
    ) -> Float[ndarray, "h w"]:
        lenses = lens_for(camera, 1, torch.device("cpu")) if predicted.depth_is == "ray" else None
        now, before = (torch.from_numpy(each)[None, None] for each in (predicted.disparity, past.disparity))
        with torch.inference_mode():
            steady = carried_along(
                now,
                before,
                (_colours(small), _colours(past.images[-1])),
                torch.from_numpy(self._T_past_now(small, past)).float()[None],
                torch.from_numpy(camera.matrix()).float()[None],
                lenses,
                memory=self._memory,
            )
        return steady[0, 0].numpy()

    def _T_past_now(self, small: UInt8[ndarray, "h w 3"], past: _Past) -> Float[ndarray, "4 4"]:
        """The motion from the new frame to the one before, in the unit of the predictions."""
        images = torch.from_numpy(np.stack([*past.images, small]))
        start, plan = len(images) - 2, self._motion.plan
        target = plan.target(start, len(images), ended=True)
        assert target is not None, "as many images as a clip has"
        # Without a camera the motion is that of the network alone. Aligning it would take longer than the depth.
        T_past_now: Float[ndarray, "4 4"] = inverse(self._motion.motions(images, [start], [target]))[0]
        T_past_now[:3, 3] *= 1.0 if self._motion.metric is None else self._motion.metric.factor
        return T_past_now

    def _camera(self, known: Camera | None, *, width: int, height: int) -> Camera:
        """The camera of the frames as the network takes them."""
        if known is None:
            if not self._said:
                warnings.warn(
                    f"the camera of frames of {width}x{height} is not known: for --steady a horizontal field of view "
                    "of 60 degrees is assumed; give --camera",
                    SelfDepthWarning,
                    stacklevel=2,
                )
            self._said = True
            known = Camera.from_fov(60, width=width, height=height)
        return self._predictor.fitted_camera(known)


def carried_along(
    disparity: Float[Tensor, "b 1 h w"],
    past_disparity: Float[Tensor, "b 1 h w"],
    images: tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 3 h w"]],
    T_past_now: Float[Tensor, "b 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
    *,
    memory: float,
) -> Float[Tensor, "b 1 h w"]:
    """The disparity of a frame, averaged with the one of the frame before.

    Args:
        disparity, past_disparity: inverse depths above 0.
        images: of the new and of the past frame, colours in [0, 1].
        T_past_now: motion in the unit of the depth.
        K, lenses: as for `project`.
        memory: weight of the past where everything agrees, 0 to 1.
    """
    places, z = project_with_depth(1 / disparity, T_past_now, K, lenses)
    # 1 where the past has the point as far away as the present.
    change = (sample(past_disparity, places) * z.clamp(min=1e-6)).clamp(min=1e-6).log()
    error = photometric_error(sample(images[1], places).unsqueeze(1), Target.of(images[0]), LossConfig())
    agreement = torch.exp(-((error / _AGREES) ** 2) - (change / _SAME) ** 2) * _inside(places) * (z > 0)
    return disparity * torch.exp(memory * agreement * change)


def _inside(places: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 1 h w"]:
    height, width = places.shape[-2:]
    last = torch.tensor([width - 1.0, height - 1.0], device=places.device)[:, None, None]
    return ((places >= 0) & (places <= last)).all(1, keepdim=True).to(places.dtype)


def _colours(image: UInt8[ndarray, "h w 3"]) -> Float[Tensor, "1 3 h w"]:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
