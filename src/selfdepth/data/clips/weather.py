"""Bad conditions for the depth network's eyes: night, fog, rain, noise, blur and glare, made from clear targets.

The idea is Robust-Depth's (Saunders et al., arXiv 2307.08357): the scene is the same, so the depth must be. Losses and
the pose network keep the clear images. The effects here are simple image operations. They teach a network not to rely
on brightness, contrast and sharpness; they are no simulation of real rain, or of a real night with its lamps. The fog
does not thicken with distance: the depth is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from selfdepth.structs import Batch, HardTargets


@dataclass(frozen=True, kw_only=True, eq=False)
class Weather:
    """The draw for each clip of a batch, on the host.

    Attributes:
        chosen: whether the clip's target is also shown in bad conditions.
        kind: which, as an index into EFFECTS.
        strength: from 0, mild, to 1, severe.
        seed: of the random fields, such as noise, one per clip.
    """

    chosen: Bool[Tensor, "b"]
    kind: Int[Tensor, "b"]
    strength: Float[Tensor, "b"]
    seed: Int[Tensor, "b"]

    def __getitem__(self, clips: slice) -> Weather:
        """The draw for a slice of the clips."""
        return Weather(**{name: values[clips] for name, values in vars(self).items()})


def draw_weather(b: int, share: float, generator: torch.Generator) -> Weather:
    """Draw for `b` clips: each is chosen with probability `share`, every effect is equally likely.

    Args:
        generator: a CPU generator, so that the draw is the same for every device.
    """
    # Evenly spaced with a random start, not clip by clip: the number of chosen clips is then the same in every batch
    # (two neighbouring numbers, if share times b is not whole), and a compiled step need not be compiled for each.
    start = torch.rand(1, generator=generator, dtype=torch.float64)
    passed = torch.floor(torch.arange(b + 1, dtype=torch.float64) * share + start)
    return Weather(
        chosen=passed.diff() > 0,
        kind=torch.randint(len(EFFECTS), (b,), generator=generator),
        strength=torch.rand(b, generator=generator),
        seed=torch.randint(2**62, (b,), generator=generator),
    )


def add_weather(batch: Batch, drawn: Weather, of_step: Weather | None = None) -> Batch:
    """The batch with `hard_targets`: the chosen clips' target inputs in bad conditions, colours in [0, 1].

    Nothing else is changed. On one device the result is a function of the draw alone.

    Args:
        of_step: the draw for all clips of a step, if several processes share it.
    """
    clips = drawn.chosen.nonzero().squeeze(1)
    if not len(clips):
        return batch
    device = batch.inputs.device
    images = []
    for clip in clips.tolist():
        # Fields are drawn on the device, where they are needed; each clip has its own seed, so that it gets the same
        # ones in whichever process it is.
        fields = torch.Generator(device=device).manual_seed(int(drawn.seed[clip]))
        effect = EFFECTS[int(drawn.kind[clip])]
        images.append(effect(batch.inputs[clip, 0], float(drawn.strength[clip]), fields).clamp(0, 1))
    weight = None
    if of_step is not None:
        n_processes = len(of_step.chosen) / len(drawn.chosen)
        weight = torch.tensor(len(clips) * n_processes / int(of_step.chosen.sum()), device=device)
    clips = clips.to(device, non_blocking=device.type == "cuda")
    return replace(batch, hard_targets=HardTargets(clips=clips, images=torch.stack(images), weight=weight))


def night(image: Float[Tensor, "3 h w"], strength: float, fields: torch.Generator) -> Float[Tensor, "3 h w"]:
    """Little light: a darker, steeper curve, and the noise of few photons."""
    dark = image ** (1 + 1.5 * strength) * (0.6 - 0.4 * strength)
    # Photon noise has the variance of the signal, and the sensor adds its own.
    return dark + (0.03 + 0.04 * strength) * (dark + 0.05).sqrt() * _normal(image, fields)


def fog(image: Float[Tensor, "3 h w"], strength: float, fields: torch.Generator) -> Float[Tensor, "3 h w"]:
    """A bright veil, denser in some parts of the image, under which contrast fades."""
    _, height, width = image.shape
    coarse = torch.rand(1, 1, 3, 6, generator=fields, device=image.device, dtype=image.dtype)
    patches = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)[0]
    veil = (0.35 + 0.4 * strength) * (0.8 + 0.4 * patches)
    brightness = 0.6 + 0.3 * _uniform(image, fields)
    return image * (1 - veil) + brightness * veil


def rain(image: Float[Tensor, "3 h w"], strength: float, fields: torch.Generator) -> Float[Tensor, "3 h w"]:
    """Bright vertical streaks before a slightly blurred and faded scene."""
    _, height, width = image.shape
    length = max(height // 16, 2) * 2 + 1
    drops = torch.rand(1, 1, height, width, generator=fields, device=image.device, dtype=image.dtype)
    falling = (drops < 0.01 + 0.02 * strength).to(image.dtype)
    streaks = F.max_pool2d(falling, (length, 1), stride=1, padding=(length // 2, 0))[0]
    faded = 0.8 * gaussian_blur(image, 0.3 + 0.001 * width) + 0.1
    return torch.lerp(faded, torch.full_like(faded, 0.8), (0.2 + 0.25 * strength) * streaks)


def noise(image: Float[Tensor, "3 h w"], strength: float, fields: torch.Generator) -> Float[Tensor, "3 h w"]:
    """Sensor noise, the same in bright and dark parts."""
    return image + (0.03 + 0.09 * strength) * _normal(image, fields)


def blur(image: Float[Tensor, "3 h w"], strength: float, fields: torch.Generator) -> Float[Tensor, "3 h w"]:
    """A lens that is out of focus or wet."""
    return gaussian_blur(image, 0.5 + (0.002 + 0.005 * strength) * image.shape[-1])


def glare(image: Float[Tensor, "3 h w"], strength: float, fields: torch.Generator) -> Float[Tensor, "3 h w"]:
    """A low sun in the upper half: a saturated spot, and stray light everywhere."""
    _, height, width = image.shape
    u = torch.arange(width, device=image.device, dtype=image.dtype) - width * _uniform(image, fields)
    v = torch.arange(height, device=image.device, dtype=image.dtype) - 0.5 * height * _uniform(image, fields)
    spot = torch.exp(-(u[None, :] ** 2 + v[:, None] ** 2) / (2 * (0.15 * width) ** 2))
    return image * (1 - 0.3 * strength) + 0.15 * strength + (0.5 + 0.5 * strength) * spot


Effect = Callable[[Tensor, float, torch.Generator], Tensor]
EFFECTS: tuple[Effect, ...] = (night, fog, rain, noise, blur, glare)


def gaussian_blur(image: Float[Tensor, "3 h w"], sigma_px: float) -> Float[Tensor, "3 h w"]:
    """Gaussian blur, cut off at three standard deviations; the border is repeated."""
    radius = max(math.ceil(3 * sigma_px), 1)
    at = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    weights = torch.exp(-(at**2) / (2 * sigma_px**2))
    weights = weights / weights.sum()
    padded = F.pad(image[:, None], (radius,) * 4, mode="replicate")
    rows = F.conv2d(padded, weights.view(1, 1, 1, -1))
    return F.conv2d(rows, weights.view(1, 1, -1, 1))[:, 0]


def _normal(image: Tensor, fields: torch.Generator) -> Tensor:
    return torch.randn(image.shape, generator=fields, device=image.device, dtype=image.dtype)


def _uniform(image: Tensor, fields: torch.Generator) -> Tensor:
    """One number from 0 to 1, left on the device: the host must not wait for it."""
    return torch.rand((), generator=fields, device=image.device, dtype=image.dtype)
