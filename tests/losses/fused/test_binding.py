"""The fused pass computes what the tensors compute, keeps little for the backward pass, and hides nothing."""

from __future__ import annotations

import itertools
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.losses.fused import binding
from selfdepth.losses.fused.binding import FusedReprojectionLevel, can_fuse, library
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.losses.reprojection import TensorReprojectionLevel

QUIET = LossConfig(tie_break_noise=0.0)
SWITCHES = [
    replace(QUIET, reprojection=reprojection, automask=automask, ssim=ssim)  # type: ignore[arg-type]
    for reprojection, automask, ssim in itertools.product(("min", "mean"), (True, False), (True, False))
]


def scene(
    *, size: tuple[int, int] = (18, 26), sources: int = 2, clips: int = 2, motion: float = 0.1, dtype: torch.dtype
) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]:
    """Smooth random images, two disparities, motions that leave the image here and there, and a camera."""
    generator = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    h, w = size
    frames = torch.nn.functional.avg_pool2d(rand(clips * (sources + 1), 3, h + 2, w + 2), 3, 1)
    frames = frames.reshape(clips, sources + 1, 3, h, w)
    T = transform_from_axis_angle(0.1 * (rand(clips, sources, 3) - 0.5), motion * (rand(clips, sources, 3) - 0.5))
    K = torch.tensor([[0.6 * w, 0, 0.5 * w], [0, 0.9 * h, 0.4 * h], [0, 0, 1]], dtype=torch.float64)
    disparities = tuple((0.02 + 0.1 * rand(clips, 1, h, w)).to(dtype).requires_grad_() for _ in range(2))
    return disparities, T.to(dtype).requires_grad_(), frames.to(dtype), K.expand(clips, 3, 3).to(dtype)


def compare(
    kind: type[TensorReprojectionLevel] | type[FusedReprojectionLevel], cfg: LossConfig, **options: object
) -> tuple[list[Tensor], list[Tensor]]:
    """Losses and masks, and the gradients of a weighted sum of the losses."""
    disparities, T, frames, K = scene(dtype=torch.float64, **options)  # type: ignore[arg-type]
    compared = kind.of(frames, K, cfg).compare(disparities, T)
    torch.autograd.backward(sum((i + 1) * loss for i, (loss, _) in enumerate(compared)))
    gradients = [leaf.grad for leaf in (*disparities, T) if leaf.grad is not None]
    assert len(gradients) == 3
    return [part for pair in compared for part in pair], gradients


def test_the_pass_is_compiled_wherever_there_is_a_compiler() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no compiler on this machine")
    assert library() is not None, "install the package again: pip install --editable ."
    assert can_fuse(torch.rand(1, 3, 3, 8, 8), QUIET)


def test_who_trains_on_a_cpu_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "library", lambda: None)
    with pytest.warns(SelfDepthWarning, match="without a C compiler.*four times as long.*install gcc or clang"):
        binding.warn_if_not_compiled(torch.device("cpu"), QUIET)


@pytest.mark.parametrize(
    ("device", "cfg", "compiled"),
    [
        ("cpu", QUIET, True),
        ("cuda", QUIET, False),
        ("cpu", replace(QUIET, automask=False, predictive_mask=True), False),
    ],
)
def test_nobody_is_told_of_a_library_that_would_not_be_used(
    device: str, cfg: LossConfig, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding, "library", lambda: object() if compiled else None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        binding.warn_if_not_compiled(torch.device(device), cfg)


@pytest.mark.parametrize("cfg", SWITCHES, ids=str)
@pytest.mark.parametrize("sources", [1, 2, 3])
def test_values_masks_and_gradients_are_those_of_the_tensors(cfg: LossConfig, sources: int) -> None:
    fused, slow = (compare(kind, cfg, sources=sources) for kind in (FusedReprojectionLevel, TensorReprojectionLevel))
    for got, wanted in zip(fused[0] + fused[1], slow[0] + slow[1], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [(2, 2), (2, 9), (3, 3), (5, 2), (7, 33)], ids=str)
def test_images_of_any_size_from_two_by_two_pixels_on_are_compared(size: tuple[int, int]) -> None:
    fused, slow = (compare(kind, QUIET, size=size) for kind in (FusedReprojectionLevel, TensorReprojectionLevel))
    for got, wanted in zip(fused[0] + fused[1], slow[0] + slow[1], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_points_behind_the_source_camera_are_handled_alike() -> None:
    fused, slow = (
        compare(kind, replace(QUIET, automask=False), motion=3.0)
        for kind in (FusedReprojectionLevel, TensorReprojectionLevel)
    )
    for got, wanted in zip(fused[0] + fused[1], slow[0] + slow[1], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


FISHEYE = Lens("kannala-brandt", (0.05, -0.02, 0.004, -0.0006))


def through_a_lens(
    kind: type[TensorReprojectionLevel] | type[FusedReprojectionLevel], cfg: LossConfig, *, lens: Lens, motion: float
) -> tuple[list[Tensor], list[Tensor]]:
    """As `compare`, of images whose corners have no ray, and motions after which some points are not seen."""
    disparities, T, frames, K = scene(dtype=torch.float64, size=(24, 36), motion=motion)
    fx, fy, cx, cy = 10.0, 10.5, 17.2, 12.1
    camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=36, height=24, lens=lens)
    K = torch.from_numpy(camera.matrix()).expand_as(K)
    lenses = Lenses.of([camera] * len(K), torch.float64)
    assert not lenses.seen.all()
    compared = kind.of(frames, K, cfg, lenses).compare(disparities, T)
    torch.autograd.backward(sum((i + 1) * loss for i, (loss, _) in enumerate(compared)))
    gradients = [leaf.grad for leaf in (*disparities, T) if leaf.grad is not None]
    assert len(gradients) == 3 and all(gradient.abs().sum() > 0 for gradient in gradients)
    return [part for pair in compared for part in pair], gradients


@pytest.mark.parametrize("cfg", SWITCHES, ids=str)
@pytest.mark.parametrize("motion", [0.5, 20.0])
@pytest.mark.parametrize(
    "lens", [FISHEYE, Lens("ucm", (1.6, 0.0, 0.02)), Lens("brown", (-0.2, 0.01))], ids=lambda lens: lens.model
)
def test_through_a_lens_too_values_masks_and_gradients_are_those_of_the_tensors(
    cfg: LossConfig, motion: float, lens: Lens
) -> None:
    fused, slow = (
        through_a_lens(kind, cfg, lens=lens, motion=motion)
        for kind in (FusedReprojectionLevel, TensorReprojectionLevel)
    )
    for got, wanted in zip(fused[0] + fused[1], slow[0] + slow[1], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_single_precision_agrees_with_double_precision() -> None:
    losses = []
    for dtype in (torch.float32, torch.float64):
        disparities, T, frames, K = scene(dtype=dtype)
        losses.append(FusedReprojectionLevel.of(frames, K, QUIET).compare(disparities, T)[0][0].double())
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=0)


def test_one_thread_and_two_give_the_same_bits() -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(compare(FusedReprojectionLevel, QUIET, clips=5))
    finally:
        torch.set_num_threads(before)
    for one, two in zip(results[0][0] + results[0][1], results[1][0] + results[1][1], strict=True):
        assert torch.equal(one, two)


@pytest.mark.usefixtures("way")
def test_a_motion_that_is_not_a_number_shows_in_the_loss() -> None:
    disparities, T, frames, K = scene(dtype=torch.float32)
    broken = T.detach().clone()
    broken[1, 0, 0, 3] = torch.nan
    assert torch.isnan(self_supervised_loss(disparities, broken, frames, K, QUIET).loss)


def saved_maps(step: Callable[[], object], size: tuple[int, int]) -> float:
    """How many maps of this size the backward pass keeps for each clip."""
    held = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    return sum(held.values()) / (2 * size[0] * size[1])


def test_nothing_of_full_size_is_kept_for_the_backward_pass_but_one_gradient_a_disparity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = (64, 96)
    disparities, T, frames, K = scene(size=size, dtype=torch.float32)

    def step() -> Tensor:
        return self_supervised_loss(disparities, T, frames, K, QUIET).loss

    # Smoothness, which is of the disparity's own size, keeps the rest.
    fused = saved_maps(step, size)
    monkeypatch.setattr("selfdepth.losses.objective.can_fuse", lambda *_: False)
    slow = saved_maps(step, size)
    n = len(disparities)
    assert n <= fused < 12 * n
    assert slow > 60 * n, "the tensors keep warped images, windows and errors of every source"


def test_without_gradients_none_are_made() -> None:
    disparities, T, frames, K = scene(dtype=torch.float32)
    with torch.no_grad():
        (loss, keep), _ = FusedReprojectionLevel.of(frames, K, QUIET).compare(disparities, T)
    assert not loss.requires_grad and not keep.requires_grad
    (with_gradient, _), _ = FusedReprojectionLevel.of(frames, K, QUIET).compare(disparities, T)
    assert with_gradient.requires_grad
    assert torch.equal(loss, with_gradient.detach())


def test_a_predictive_mask_and_numbers_of_other_kinds_are_left_to_the_tensors() -> None:
    assert not can_fuse(torch.rand(1, 3, 3, 8, 8), replace(QUIET, automask=False, predictive_mask=True))
    assert not can_fuse(torch.rand(1, 3, 3, 8, 8, dtype=torch.bfloat16), QUIET)
    assert not can_fuse(torch.rand(1, 3, 3, 8, 8, device="meta"), QUIET)
