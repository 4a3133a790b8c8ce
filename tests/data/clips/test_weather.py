"""Bad conditions: laws of the draw and of each effect, and everything but the hard targets stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from selfdepth.data.clips.weather import (
    EFFECTS,
    Effect,
    Weather,
    add_weather,
    blur,
    draw_weather,
    fog,
    gaussian_blur,
    glare,
    night,
    noise,
    rain,
)
from selfdepth.structs import Batch

H, W = 24, 40


def clips(b: int = 6) -> Batch:
    """Smooth random pictures with blacks and whites; inputs are not the frames, as after jitter."""
    coarse = torch.rand(b * 3, 3, 6, 10, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(coarse, (H, W), mode="bilinear").unflatten(0, (b, 3))
    frames[..., :3, :] = 0
    frames[..., -3:, :] = 1
    return Batch(frames=frames, inputs=frames * 0.9, K=torch.eye(3).repeat(b, 1, 1), offsets=(-1, 1))


def drawn(b: int, share: float = 0.5, seed: int = 0) -> Weather:
    return draw_weather(b, share, torch.Generator().manual_seed(seed))


def shown(effect: Effect, strength: float, seed: int = 0, image: Tensor | None = None) -> Tensor:
    image = clips().inputs[0, 0] if image is None else image
    return effect(image, strength, torch.Generator().manual_seed(seed)).clamp(0, 1)


def test_the_chosen_targets_are_shown_in_bad_conditions_and_nothing_else_changes() -> None:
    batch, draw = clips(), drawn(6)
    kept = batch.inputs.clone()
    made = add_weather(batch, draw)
    assert made.hard_targets is not None
    assert made.hard_targets.clips.tolist() == draw.chosen.nonzero().flatten().tolist()
    assert made.hard_targets.images.shape == (3, 3, H, W)
    for clip, image in zip(made.hard_targets.clips.tolist(), made.hard_targets.images, strict=True):
        effect = EFFECTS[int(draw.kind[clip])]
        assert torch.equal(image, shown(effect, float(draw.strength[clip]), int(draw.seed[clip]), kept[clip, 0]))
    assert replace(made, hard_targets=None) == batch
    assert torch.equal(batch.inputs, kept)


def test_drawing_none_returns_the_batch_itself() -> None:
    batch = clips()
    assert not drawn(6, 0.0).chosen.any()
    assert add_weather(batch, drawn(6, 0.0)) is batch


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.7, 1.0])
def test_every_clip_is_chosen_with_the_given_probability_and_batches_hold_the_same_number_of_chosen_ones(
    share: float,
) -> None:
    draws = torch.stack([drawn(12, share, seed).chosen for seed in range(800)])
    assert ((draws.float().mean(0) - share).abs() < 0.06).all()
    counts = set(draws.sum(1).tolist())
    assert counts <= {int(12 * share), int(12 * share) + 1}
    if share in (0.25, 0.5, 1.0):
        assert counts == {12 * share}


def test_a_slice_is_a_part_of_the_draw_and_shows_the_same_images() -> None:
    batch, draw = clips(), drawn(6)
    part = replace(batch, frames=batch.frames[2:5], inputs=batch.inputs[2:5], K=batch.K[2:5])
    whole, sliced = add_weather(batch, draw).hard_targets, add_weather(part, draw[2:5]).hard_targets
    assert whole is not None and sliced is not None
    places = whole.clips.tolist()
    for clip, image in zip(sliced.clips.tolist(), sliced.images, strict=True):
        assert torch.equal(image, whole.images[places.index(clip + 2)])


def test_the_same_seed_draws_the_same_and_all_effects_and_strengths_occur() -> None:
    first, again, other = drawn(300, seed=3), drawn(300, seed=3), drawn(300, seed=4)
    for name, values in vars(first).items():
        assert torch.equal(values, vars(again)[name])
    assert not torch.equal(first.seed, other.seed)
    assert set(first.kind.tolist()) == set(range(len(EFFECTS)))
    assert first.strength.min() < 0.05 and first.strength.max() > 0.95


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_keeps_the_colours_in_range_is_seen_and_is_stronger_when_it_should_be(effect: Effect) -> None:
    image = clips().inputs[0, 0]
    changes = []
    for strength in (0.0, 0.5, 1.0):
        made = shown(effect, strength, image=image)
        assert torch.isfinite(made).all() and made.min() >= 0 and made.max() <= 1
        assert torch.equal(made, shown(effect, strength, image=image)), "the same seed, the same image"
        changes.append(float((made - image).abs().mean()))
    assert 0.002 < changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("effect", [night, fog, rain, noise, glare])
def test_effects_with_random_fields_differ_from_seed_to_seed(effect: Effect) -> None:
    assert not torch.equal(shown(effect, 0.5, seed=0), shown(effect, 0.5, seed=1))


def test_each_effect_does_what_its_name_says() -> None:
    image = clips().inputs[0, 0]
    inner = image[:, 4:-4]
    assert shown(night, 0.5).mean() < 0.5 * image.mean()
    assert shown(fog, 0.5)[:, 4:-4].std() < 0.7 * inner.std()
    assert shown(blur, 1.0).diff(dim=2).abs().mean() < image.diff(dim=2).abs().mean()
    assert shown(noise, 0.5).diff(dim=2).abs().mean() > image.diff(dim=2).abs().mean()
    assert shown(glare, 0.5)[:, : H // 2].mean() > image[:, : H // 2].mean()
    dark = torch.full((3, H, W), 0.1)
    streaks = shown(rain, 1.0, image=dark)[0] > 0.25
    along, across = ((streaks & streaks.roll(1, dim)).float().mean() for dim in (0, 1))
    assert along > 1.3 * across, "streaks are vertical"


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.7])
def test_the_blur_is_that_of_the_slow_sum_over_all_pixels_and_keeps_a_constant(sigma: float) -> None:
    image = torch.rand(3, H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    blurred = gaussian_blur(image, sigma)
    v0, u0 = 12, 20
    total, weight = torch.zeros(3, dtype=torch.float64), 0.0
    for v in range(H):
        for u in range(W):
            if max(abs(v - v0), abs(u - u0)) <= max(3 * sigma, 1) + 1:
                w = float(torch.exp(torch.tensor(-((v - v0) ** 2 + (u - u0) ** 2) / (2 * sigma**2))))
                total, weight = total + w * image[:, v, u], weight + w
    torch.testing.assert_close(blurred[:, v0, u0], total / weight, rtol=0, atol=5e-3)
    constant = torch.full((3, H, W), 0.4)
    torch.testing.assert_close(gaussian_blur(constant, sigma), constant)
