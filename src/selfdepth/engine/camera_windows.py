"""What a run knows of its footage, as windows for bundle adjustment: images, motions, and depth of the middle one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from selfdepth.bundle.follow import Window
from selfdepth.data.runs import FrameRefs
from selfdepth.engine.setup import Run
from selfdepth.geometry.camera import Camera
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.alignment import align
from selfdepth.losses.objective import upsample

REACH = 10
"""Neighbours on each side of the middle image. Over them a bend turns the camera by several degrees."""
_LEAST = 6
"""Other images that a window must have."""
_LUMA = np.array([0.299, 0.587, 0.114])


class _Believed(NamedTuple):
    """A target: its grey image, those of its sources, the motions to them, and the depth of its pixels."""

    image: Float[ndarray, "h w"]
    sources: Float[ndarray, "s h w"]
    T_source_target: Float[ndarray, "s 4 4"]
    depth: Float[ndarray, "h w"]


def camera_at_size(run: Run, camera: Camera) -> Camera:
    """A camera of original frames, as that of the frames that the networks see."""
    return camera.cropped(run.config.crop_px).resized(run.config.width, run.config.height)


def windows(run: Run, learner: SelfSupervisedDepth, number: int, camera: Camera, most: int) -> Iterator[Window]:
    """Windows all over the training frames of a camera.

    Args:
        number: of the camera, as `store.camera_numbers` counts them.
        camera: it, as learned up to now, at the size of the frames that the networks see.
        most: number of windows. There are fewer where the footage is short or cut.
    """
    clips = run.data.train.clips
    which, numbers = FrameRefs.of(clips.refs).arrays()
    index = {(int(w), int(n)): i for i, (w, n) in enumerate(zip(which, numbers, strict=True))}
    cameras = run.data.store.cameras_of(clips.refs)
    own = np.arange(len(clips)) if cameras is None else np.flatnonzero(cameras == number)
    rays, _ = camera.rays()
    rays = rays / rays[..., 2:] if camera.is_pinhole else rays  # depth is z through a pinhole, else along the ray

    @lru_cache(maxsize=8 * REACH)
    def believed(clip: int) -> _Believed:
        return _believe(run, learner, clip)

    def walk(clip: int, source: int, step: int) -> Iterator[tuple[ndarray, ndarray]]:
        """(image, motion to it) one after the other, as far as the frames follow each other."""
        T = np.eye(4)
        for _ in range(REACH):
            here = believed(clip)
            T = here.T_source_target[source] @ T
            yield here.sources[source], T
            following = index.get((int(which[clip]), int(numbers[clip]) + step))
            if following is None:
                return
            clip = following

    nearest = _nearest_sources(clips.offsets)
    for clip in own[np.linspace(0, len(own) - 1, min(most, len(own))).astype(int)] if len(own) else ():
        before, after = (
            list(walk(int(clip), source, clips.offsets[source] * clips.spacing)) if source is not None else []
            for source in nearest
        )
        if len(before) + len(after) < _LEAST:
            continue
        middle = believed(int(clip))
        ordered = [*before[::-1], (middle.image, np.eye(4)), *after]
        yield Window(
            images=np.stack([image for image, _ in ordered]),
            anchor=len(before),
            T_image_anchor=np.stack([T for _, T in ordered]),
            points=rays * middle.depth[..., None],
            camera=camera,
        )


def _nearest_sources(offsets: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Which source is the nearest one before the target, and after it; None where there is none."""
    before = [i for i, offset in enumerate(offsets) if offset < 0]
    after = [i for i, offset in enumerate(offsets) if offset > 0]
    return (
        max(before, key=lambda i: offsets[i], default=None),
        min(after, key=lambda i: offsets[i], default=None),
    )


@torch.no_grad()
def _believe(run: Run, learner: SelfSupervisedDepth, index: int) -> _Believed:
    clip = run.data.train.clip(index)
    disparity = upsample(learner.predict_disparity(clip), (clip.frames.shape[-2], clip.frames.shape[-1]))
    depth = learner.loss_config.depth_range.depth(disparity)
    seen = learner.through_camera(clip)
    T = align(learner.relative_transforms(clip), depth, seen.frames, seen.K, seen.lenses)
    grey = np.tensordot(clip.frames[0].double().cpu().numpy(), _LUMA, axes=(1, 0))
    return _Believed(
        image=grey[0],
        sources=grey[1:],
        T_source_target=T[0].double().cpu().numpy(),
        depth=depth[0, 0].double().cpu().numpy(),
    )
