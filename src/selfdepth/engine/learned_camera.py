"""A run that learns its camera: the parameters, and what cameras they stand for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from selfdepth.data.store.store import Store
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.learned_lenses import LEARNED
from selfdepth.geometry.lens import NAMES, Lens
from selfdepth.learners.camera import LearnedCamera
from selfdepth.learners.lens import LearnedLens

RATE_SHARE = 20.0
"""Learning rate of the camera, in that of the networks: Adam changes each number by about the rate at every step, and
the logarithm of a focal length has further to go than a weight."""
EPSILON = 1e-3
"""Adam's, of the camera: between the gradient by log f of footage that turns and that of footage that does not, a tenth
of it. Without it, steps of full length would follow noise alone there."""


CAMERA_PARTS = ("camera.", "lens.")
"""What the names of a learned camera's parameters begin with."""


def learn_camera(learner: nn.Module, store: Store, device: torch.device, *, distortion: bool = False) -> None:
    """Give a learner a camera to learn, in place: one for each size of original frames.

    Args:
        distortion: whether the lens is learned, too.

    Raises:
        ConfigError, DataError: for lenses that cannot be learned together.
    """
    learner.camera = LearnedCamera(1 + max(store.camera_numbers.values())).to(device)
    if distortion:
        learner.lens = LearnedLens(_starts(store)).to(device)


def _starts(store: Store) -> tuple[Camera, ...]:
    """The camera of the frames of each size, as given. Of several sequences, that of the first."""
    numbers = store.camera_numbers
    given = {numbers[sequence.name]: sequence.camera for sequence in reversed(store.sequences)}
    return tuple(given[number] for number in sorted(given))


def parameter_groups(learner: nn.Module) -> list[dict[str, Any]]:
    """The parameters for the optimiser. `share` is that of the run's learning rate at which a group learns."""
    camera = {name: tensor for name, tensor in learner.named_parameters() if name.startswith(CAMERA_PARTS)}
    networks = [tensor for name, tensor in learner.named_parameters() if name not in camera]
    groups: list[dict[str, Any]] = [{"params": networks, "share": 1.0}]
    return groups + ([{"params": list(camera.values()), "share": RATE_SHARE, "eps": EPSILON}] if camera else [])


def cameras_of(learner: nn.Module, store: Store) -> tuple[Camera, ...]:
    """The camera of the frames of each size, as given, or as learned up to now, at the size of the original frames."""
    cameras = _starts(store)
    learned, lens = getattr(learner, "camera", None), getattr(learner, "lens", None)
    if learned is None:
        return cameras
    lenses = [camera.lens for camera in cameras] if lens is None else lens.lenses(learned.current_log_focal())
    return tuple(_learned(learned, i, *each) for i, each in enumerate(zip(cameras, lenses, strict=True)))


def _learned(learned: LearnedCamera, number: int, start: Camera, lens: Lens) -> Camera:
    K = torch.from_numpy(start.matrix()).unsqueeze(0)
    with torch.no_grad():
        K = deepcopy(learned).cpu().double()(K, torch.tensor([number]))[0]
    (fx, _, cx), (_, fy, cy), _ = K.tolist()
    # xi goes with the focal length of what UCM is near its axis.
    factor = (1 + lens.coefficients[0]) / (1 + start.lens.coefficients[0]) if lens.model == "ucm" else 1.0
    return replace(start, fx=fx * factor, fy=fy * factor, cx=cx, cy=cy, lens=lens)


def camera_name(number: int) -> str:
    """The name of a camera in the log."""
    return f"camera_{number}" if number else "camera"


def camera_terms(learner: nn.Module, cameras: tuple[Camera, ...]) -> dict[str, float]:
    """What is learned of the cameras, for the log, in pixels of the original frames; nothing if they are known."""
    if getattr(learner, "camera", None) is None:
        return {}
    terms = {
        f"{camera_name(number)}/{part}": getattr(camera, part)
        for number, camera in enumerate(cameras)
        for part in ("fx", "fy", "cx", "cy")
    }
    if getattr(learner, "lens", None) is None:
        return terms
    for number, (camera, edge) in enumerate(zip(cameras, edges_of(learner), strict=True)):
        named = zip(NAMES[camera.lens.model], camera.lens.coefficients, strict=True)
        learned = {name: value for name, value in named if name in LEARNED[camera.lens.model]} | {"edge": edge}
        terms |= {f"{camera_name(number)}/{name}": value for name, value in learned.items()}
    return terms


def edges_of(learner: nn.Module) -> tuple[float, ...]:
    """Of each learned lens, the share by which it moves the edge of the image (`learners.lens.edge_of`)."""
    camera, lens = learner.camera, learner.lens
    assert isinstance(camera, LearnedCamera) and isinstance(lens, LearnedLens)
    return lens.edges(camera.current_log_focal())
