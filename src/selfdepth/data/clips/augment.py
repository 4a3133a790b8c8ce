"""Augmentation of a whole batch on its device: flip and colour jitter, with one draw per clip for all its views.

The loss compares the clean frames; only the networks see the jittered `inputs` (section 5.1 of the paper: flip and
jitter, each with probability 1/2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from selfdepth.geometry.camera import flip as flip_with_camera
from selfdepth.geometry.se3 import mirror
from selfdepth.structs import Batch

GREY_WEIGHTS = (0.2989, 0.587, 0.114)
"""Luma of R, G, B (ITU-R BT.601)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Augmentation:
    """The draw for each clip of a batch. It stays on the host, so that no decision waits for the device.

    Attributes:
        flip: whether the clip is mirrored left to right.
        jitter: whether its colours are changed.
        brightness, contrast, saturation: factors; 1 changes nothing.
        hue: shift as a share of a full turn, -0.5 to 0.5; 0 changes nothing.
        order: the four adjustments (0 brightness, 1 contrast, 2 saturation, 3 hue) in the order of their application.
    """

    flip: Bool[Tensor, "b"]
    jitter: Bool[Tensor, "b"]
    brightness: Float[Tensor, "b"]
    contrast: Float[Tensor, "b"]
    saturation: Float[Tensor, "b"]
    hue: Float[Tensor, "b"]
    order: Int[Tensor, "b 4"]

    def __getitem__(self, clips: slice) -> Augmentation:
        """The draw for a slice of the clips."""
        return Augmentation(**{name: values[clips] for name, values in vars(self).items()})


def draw_augmentation(b: int, generator: torch.Generator) -> Augmentation:
    """Draw for `b` clips: flip and jitter with probability 1/2, factors in [.8, 1.2], hue in [-.1, .1], random order.

    Args:
        generator: a CPU generator, so that the draw is the same for every device.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(b, generator=generator) * (high - low) + low

    return Augmentation(
        flip=uniform(0.0, 1.0) < 0.5,
        jitter=uniform(0.0, 1.0) < 0.5,
        brightness=uniform(0.8, 1.2),
        contrast=uniform(0.8, 1.2),
        saturation=uniform(0.8, 1.2),
        hue=uniform(-0.1, 0.1),
        order=torch.rand(b, 4, generator=generator).argsort(1),
    )


def apply(batch: Batch, augmentation: Augmentation) -> Batch:
    """Augment a batch: flip frames with K, lenses and T_stereo_target, then make `inputs`, the jittered frames.

    The argument is not changed. Colours are in [0, 1] before and after.
    """
    batch = _flip(batch, augmentation.flip)
    return replace(batch, inputs=_jitter(batch.frames, augmentation))


def adjust_brightness(
    images: Float[Tensor, "n views 3 h w"], factor: Float[Tensor, "n"]
) -> Float[Tensor, "n views 3 h w"]:
    """Multiply colours by a factor per clip."""
    return (images * _per_clip(factor)).clamp_(0, 1)


def adjust_contrast(
    images: Float[Tensor, "n views 3 h w"], factor: Float[Tensor, "n"]
) -> Float[Tensor, "n views 3 h w"]:
    """Scale colours about the mean grey of each image (not of the clip), by a factor per clip."""
    return _blend(images, _grey(images).mean((-2, -1), keepdim=True), factor)


def adjust_saturation(
    images: Float[Tensor, "n views 3 h w"], factor: Float[Tensor, "n"]
) -> Float[Tensor, "n views 3 h w"]:
    """Scale colours about the grey of each pixel, by a factor per clip."""
    return _blend(images, _grey(images), factor)


def adjust_hue(images: Float[Tensor, "n views 3 h w"], turns: Float[Tensor, "n"]) -> Float[Tensor, "n views 3 h w"]:
    """Shift the hue (of HSV) by a share of a full turn per clip, keeping value and saturation.

    With value V, chroma C = max - min and hue H in sixths of a turn, each channel is V - C + C times a trapezoid of H:
    one ramp up, one plateau and one ramp down around the colour circle. This needs no intermediate HSV image.
    """
    red, green, blue = images.unbind(-3)
    highest = torch.maximum(red, green).maximum(blue)
    lowest = torch.minimum(red, green).minimum(blue)
    chroma = highest - lowest
    # For greys, chroma is 0 and the hue undefined. Any finite number will do: it is multiplied by chroma below.
    per_chroma = chroma.clamp(min=torch.finfo(chroma.dtype).tiny).reciprocal_()
    sixths = torch.where(
        highest == red,
        (green - blue).mul_(per_chroma),
        torch.where(
            highest == green,
            (blue - red).mul_(per_chroma).add_(2),
            (red - green).mul_(per_chroma).add_(4),
        ),
    )
    sixths += 6 * turns[:, None, None, None]
    sixths -= (sixths / 6).floor_().mul_(6)  # back into [0, 6)
    turned = torch.empty_like(images)
    for channel, ramps in enumerate(
        ((sixths - 3).abs_().sub_(1), (sixths - 2).abs_().neg_().add_(2), (sixths - 4).abs_().neg_().add_(2))
    ):
        torch.addcmul(lowest, ramps.clamp_(0, 1), chroma, out=turned[:, :, channel])
    return turned.clamp_(0, 1)


_ADJUSTMENTS: tuple[tuple[str, Callable[[Tensor, Tensor], Tensor]], ...] = (
    ("brightness", adjust_brightness),
    ("contrast", adjust_contrast),
    ("saturation", adjust_saturation),
    ("hue", adjust_hue),
)


def _flip(batch: Batch, chosen: Tensor) -> Batch:
    # A flip of a flipped clip is none.
    mirrored = _upload(chosen, batch.frames.device)
    batch = replace(batch, mirrored=mirrored if batch.mirrored is None else batch.mirrored ^ mirrored)
    if not chosen.any():
        return batch
    frames, K, T = batch.frames, batch.K, batch.T_stereo_target
    clips = _indices(chosen, frames.device)
    # The image and its camera change in one call; only the chosen clips are copied.
    flipped, K_flipped = flip_with_camera(frames.index_select(0, clips), K.index_select(0, clips))
    if T is not None:  # in a mirrored clip, the partner is on the other side
        T = T.index_copy(0, clips, mirror(T.index_select(0, clips)))
    frames, K = frames.index_copy(0, clips, flipped), K.index_copy(0, clips, K_flipped)
    teacher = batch.teacher
    if teacher is not None:
        teacher = teacher.index_copy(0, clips, teacher.index_select(0, clips).flip(-1))
    lenses = batch.lenses
    if lenses is not None:
        lenses = lenses.replaced(clips, lenses.select(clips).mirrored())
    return replace(batch, frames=frames, K=K, T_stereo_target=T, teacher=teacher, lenses=lenses)


def _jitter(frames: Tensor, augmentation: Augmentation) -> Tensor:
    jittered = frames.clone() if augmentation.jitter.any() else frames
    # A CPU is faster clip by clip, because a clip fits into its cache; a GPU with few, large launches.
    block = 1 if frames.device.type == "cpu" else len(frames)
    for start in range(0, len(frames), block):
        clips = slice(start, start + block)
        _jitter_in_place(jittered[clips], augmentation[clips])
    return jittered


def _jitter_in_place(images: Tensor, augmentation: Augmentation) -> None:
    for place in range(4):
        for kind, (name, adjust) in enumerate(_ADJUSTMENTS):
            chosen = augmentation.jitter & (augmentation.order[:, place] == kind)
            if chosen.any():
                clips = _indices(chosen, images.device)
                amount = _upload(vars(augmentation)[name][chosen].to(images.dtype), images.device)
                images.index_copy_(0, clips, adjust(images.index_select(0, clips), amount))


def _indices(chosen: Tensor, device: torch.device) -> Tensor:
    return _upload(chosen.nonzero().squeeze(1), device)


def _upload(values: Tensor, device: torch.device) -> Tensor:
    # Indices are made on the host and sent without blocking: `nonzero` on the GPU would wait for all its queued work.
    return values.to(device, non_blocking=device.type == "cuda")


def _per_clip(factor: Tensor) -> Tensor:
    return factor[:, None, None, None, None]


def _grey(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(-3)
    weight_r, weight_g, weight_b = GREY_WEIGHTS
    return (red * weight_r).add_(green, alpha=weight_g).add_(blue, alpha=weight_b).unsqueeze(-3)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    share = _per_clip(factor)
    return (images * share).add_(other * (1 - share)).clamp_(0, 1)
