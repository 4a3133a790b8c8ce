"""A run that learns its camera: the parameters, and what cameras they stand for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from selfdepth.data.store.store import Store
from selfdepth.geometry.camera import Camera
from selfdepth.learners.camera import LearnedCamera

RATE_SHARE = 20.0
"""Learning rate of the camera, in that of the networks: Adam changes each number by about the rate at every step, and
the logarithm of a focal length has further to go than a weight."""
EPSILON = 1e-3
"""Adam's, of the camera: between the gradient by log f of footage that turns and that of footage that does not, a tenth
of it. Without it, steps of full length would follow noise alone there."""


def learn_camera(learner: nn.Module, store: Store, device: torch.device) -> None:
    """Give a learner a camera to learn, in place: one for each size of original frames."""
    learner.camera = LearnedCamera(1 + max(store.camera_numbers.values())).to(device)


def parameter_groups(learner: nn.Module) -> list[dict[str, Any]]:
    """The parameters for the optimiser. `share` is that of the run's learning rate at which a group learns."""
    camera = {name: tensor for name, tensor in learner.named_parameters() if name.startswith("camera.")}
    networks = [tensor for name, tensor in learner.named_parameters() if name not in camera]
    groups: list[dict[str, Any]] = [{"params": networks, "share": 1.0}]
    return groups + ([{"params": list(camera.values()), "share": RATE_SHARE, "eps": EPSILON}] if camera else [])


def cameras_of(learner: nn.Module, store: Store) -> tuple[Camera, ...]:
    """The camera of the frames of each size, as given, or as learned up to now, at the size of the original frames."""
    numbers = store.camera_numbers
    given = {numbers[sequence.name]: sequence.camera for sequence in reversed(store.sequences)}
    cameras = tuple(given[number] for number in sorted(given))
    learned = getattr(learner, "camera", None)
    return cameras if learned is None else tuple(_learned(learned, i, camera) for i, camera in enumerate(cameras))


def _learned(learned: LearnedCamera, number: int, start: Camera) -> Camera:
    K = torch.from_numpy(start.matrix()).unsqueeze(0)
    with torch.no_grad():
        K = deepcopy(learned).cpu().double()(K, torch.tensor([number]))[0]
    (fx, _, cx), (_, fy, cy), _ = K.tolist()
    return replace(start, fx=fx, fy=fy, cx=cx, cy=cy)


def camera_name(number: int) -> str:
    """The name of a camera in the log."""
    return f"camera_{number}" if number else "camera"


def camera_terms(learner: nn.Module, cameras: tuple[Camera, ...]) -> dict[str, float]:
    """What is learned of the cameras, for the log, in pixels of the original frames; nothing if they are known."""
    if getattr(learner, "camera", None) is None:
        return {}
    return {
        f"{camera_name(number)}/{part}": getattr(camera, part)
        for number, camera in enumerate(cameras)
        for part in ("fx", "fy", "cx", "cy")
    }
