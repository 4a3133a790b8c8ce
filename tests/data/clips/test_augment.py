"""Augmentation: laws, and torchvision as the slow twin."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as slow

from selfdepth.data.clips.augment import (
    Augmentation,
    _jitter_in_place,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    draw_augmentation,
)
from selfdepth.data.clips.augment import apply as augment
from selfdepth.geometry.se3 import transform
from selfdepth.structs import Batch


def clips(b: int = 5, views: int = 3, height: int = 8, width: int = 12) -> Tensor:
    """Random colours with greys, blacks, whites and ties among channels, where hue has its corners."""
    images = torch.rand(b, views, 3, height, width, generator=torch.Generator().manual_seed(1))
    images[..., :2, :] = (images[..., :2, :] * 2).round() / 2
    images[:, :, :, 2, :] = images[:, :, :1, 2, :]
    return images


def cameras(b: int = 5) -> Tensor:
    K = torch.eye(3).repeat(b, 1, 1)
    K[:, 0, 2] = torch.arange(b) + 0.25
    return K


def drawn(b: int, seed: int = 0) -> Augmentation:
    return draw_augmentation(b, torch.Generator().manual_seed(seed))


def apply(images: Tensor, K: Tensor, augmentation: Augmentation) -> tuple[Tensor, Tensor, Tensor]:
    """Frames, inputs and K of the augmented batch."""
    batch = augment(Batch(frames=images, inputs=images, K=K, offsets=(1,)), augmentation)
    return batch.frames, batch.inputs, batch.K


def slow_jitter(image: Tensor, augmentation: Augmentation, clip: int) -> Tensor:
    operations = (
        lambda x: slow.adjust_brightness(x, float(augmentation.brightness[clip])),
        lambda x: slow.adjust_contrast(x, float(augmentation.contrast[clip])),
        lambda x: slow.adjust_saturation(x, float(augmentation.saturation[clip])),
        lambda x: slow.adjust_hue(x, float(augmentation.hue[clip])),
    )
    for kind in augmentation.order[clip].tolist():
        image = operations[kind](image)
    return image


@pytest.mark.parametrize(
    ("ours", "theirs", "amounts"),
    [
        (adjust_brightness, slow.adjust_brightness, (0.0, 0.8, 1.0, 1.2, 3.0)),
        (adjust_contrast, slow.adjust_contrast, (0.0, 0.8, 1.0, 1.2, 3.0)),
        (adjust_saturation, slow.adjust_saturation, (0.0, 0.8, 1.0, 1.2, 3.0)),
        (adjust_hue, slow.adjust_hue, (-0.5, -0.1, 0.0, 0.1, 0.5)),
    ],
)
def test_each_adjustment_is_that_of_torchvision(ours, theirs, amounts) -> None:
    images = clips()
    got = ours(images, torch.tensor(amounts))
    for clip, amount in enumerate(amounts):
        for view in range(images.shape[1]):
            assert torch.allclose(got[clip, view], theirs(images[clip, view], amount), atol=2e-6)


def test_the_whole_jitter_is_that_of_torchvision_image_by_image_in_any_order() -> None:
    b = 40
    images, augmentation = clips(b, views=2), drawn(b)
    frames, inputs, _ = apply(images, cameras(b), augmentation)
    assert len({tuple(order) for order in augmentation.order.tolist()}) > 12
    for clip in range(b):
        for view in range(2):
            image = frames[clip, view]
            expected = slow_jitter(image, augmentation, clip) if augmentation.jitter[clip] else image
            assert torch.allclose(inputs[clip, view], expected, atol=1e-5)


def test_image_and_camera_are_mirrored_together_and_only_where_drawn() -> None:
    images, K = clips(8), cameras(8)
    augmentation = drawn(8)
    frames, _, K_new = apply(images, K, augmentation)
    assert 0 < augmentation.flip.sum() < 8
    for clip, flipped in enumerate(augmentation.flip.tolist()):
        assert torch.equal(frames[clip], images[clip].flip(-1) if flipped else images[clip])
        assert K_new[clip, 0, 2] == (12 - 1 - K[clip, 0, 2] if flipped else K[clip, 0, 2])
    K_new[:, 0, 2] = K[:, 0, 2]
    assert torch.equal(K_new, K)


def test_mirroring_twice_is_the_identity() -> None:
    images, K = clips(), cameras()
    augmentation = drawn(5)
    once, _, K_once = apply(images, K, augmentation)
    twice, _, K_twice = apply(once, K_once, augmentation)
    assert torch.equal(twice, images)
    assert torch.equal(K_twice, K)


def test_jittering_clips_together_or_one_by_one_is_the_same() -> None:
    images, augmentation = clips(40), drawn(40)
    frames, one_by_one, _ = apply(images, cameras(40), augmentation)
    together = frames.clone()
    _jitter_in_place(together, augmentation)
    assert torch.allclose(together, one_by_one, atol=1e-6)


def test_arguments_are_left_as_they_are() -> None:
    images, K = clips(12), cameras(12)
    kept, K_kept = images.clone(), K.clone()
    apply(images, K, drawn(12))
    assert torch.equal(images, kept)
    assert torch.equal(K, K_kept)


def test_the_frames_of_the_loss_are_never_jittered() -> None:
    images = clips(12)
    augmentation = drawn(12)
    frames, inputs, _ = apply(images, cameras(12), augmentation)
    for clip in range(12):
        expected = images[clip].flip(-1) if augmentation.flip[clip] else images[clip]
        assert torch.equal(frames[clip], expected)
        assert torch.equal(inputs[clip], expected) is not bool(augmentation.jitter[clip])


def test_colours_stay_between_0_and_1() -> None:
    _, inputs, _ = apply(clips(40), cameras(40), drawn(40))
    assert inputs.min() >= 0
    assert inputs.max() <= 1


def test_draws_have_the_published_ranges_and_probabilities() -> None:
    draw = drawn(4000)
    for chosen in (draw.flip, draw.jitter):
        assert 0.46 < chosen.float().mean() < 0.54
    for factor in (draw.brightness, draw.contrast, draw.saturation):
        assert 0.8 <= factor.min() < 0.81
        assert 1.19 < factor.max() <= 1.2
    assert -0.1 <= draw.hue.min() < -0.09
    assert 0.09 < draw.hue.max() <= 0.1
    orders = draw.order.unique(dim=0)
    assert len(orders) == 24
    assert torch.equal(orders.sort(1).values, torch.arange(4).expand(24, 4))


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    first, again, other = drawn(8, 3), drawn(8, 3), drawn(8, 4)
    for name, values in vars(first).items():
        assert torch.equal(values, vars(again)[name])
    assert not torch.equal(first.hue, other.hue)


def test_drawing_none_returns_the_batch_itself() -> None:
    none = torch.zeros(5, dtype=torch.bool)
    augmentation = Augmentation(**{**vars(drawn(5)), "flip": none, "jitter": none})
    images, K = clips(), cameras()
    frames, inputs, K_new = apply(images, K, augmentation)
    assert torch.equal(frames, images)
    assert torch.equal(inputs, images)
    assert torch.equal(K_new, K)


def test_in_the_mirror_the_stereo_partner_stands_on_the_other_side() -> None:
    images, K, augmentation = clips(8, views=2), cameras(8), drawn(8)
    T = torch.eye(4).repeat(8, 1, 1)
    T[:, :3, 3] = torch.tensor([-0.53, 0.003, 0.001])
    batch = augment(Batch(frames=images, inputs=images, K=K, offsets=(), T_stereo_target=T), augmentation)
    assert batch.T_stereo_target is not None
    points = torch.randn(8, 5, 3)
    in_mirror = torch.tensor([-1.0, 1.0, 1.0])
    for clip, flipped in enumerate(augmentation.flip.tolist()):
        expected, got = (
            transform(T[clip], points[clip]),
            transform(batch.T_stereo_target[clip], points[clip] * in_mirror),
        )
        if flipped:
            torch.testing.assert_close(got, expected * in_mirror)
        else:
            assert torch.equal(batch.T_stereo_target[clip], T[clip])
    assert (T[:, 0, 3] < 0).all(), "the argument is left as it is"


def test_the_teachers_map_is_flipped_with_its_image() -> None:
    frames = torch.rand(4, 2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    K, teacher = torch.eye(3).repeat(4, 1, 1), frames[:, 0, :1].clone()
    drawn = draw_augmentation(4, torch.Generator().manual_seed(0))
    chosen = torch.tensor([True, False, True, False])
    batch = Batch(frames=frames, inputs=frames, K=K, offsets=(1,), teacher=teacher)
    augmented = augment(batch, replace(drawn, flip=chosen))
    assert augmented.teacher is not None
    assert torch.equal(augmented.teacher, augmented.frames[:, 0, :1])
    assert torch.equal(augmented.teacher[chosen], teacher[chosen].flip(-1))
    assert torch.equal(batch.teacher, teacher), "the argument is not changed"
