"""The limits of this machine, in arithmetic and in memory bandwidth, and how much of both a step needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from measuring import Setting, Spread
from plain import N_SCALES, PlainModel, four_scales

_LAYERS = ((64, 4), (128, 8), (256, 16), (512, 32))
"""Channels, and reduction of the image size, of the 3x3 convolutions in which a ResNet-18 spends its time."""

_VIEWS, _CHANNELS, _FLOAT_BYTES = 3, 3, 4


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """The best rates of the machine. Those in GFLOP/s are of 3x3 convolutions with the shapes of a training step,
    channels last, on all cores.

    Attributes:
        fp32_step_gflops, bf16_step_gflops: forward and backward.
        fp32_forward_gflops, bf16_forward_gflops: forward alone.
        memory_gb_per_s: bytes read and written when two large arrays are added into a third.
    """

    fp32_step_gflops: float
    bf16_step_gflops: float
    fp32_forward_gflops: float
    bf16_forward_gflops: float
    memory_gb_per_s: float

    def step_gflops(self, dtype: torch.dtype) -> float:
        """The rate of forward and backward passes in this precision."""
        return self.bf16_step_gflops if dtype == torch.bfloat16 else self.fp32_step_gflops

    def forward_gflops(self, dtype: torch.dtype) -> float:
        """The rate of forward passes in this precision."""
        return self.bf16_forward_gflops if dtype == torch.bfloat16 else self.fp32_forward_gflops


def measure_ceilings(setting: Setting, device: torch.device | str = "cpu") -> Ceilings:
    """Measure this machine. The best round counts: a ceiling is the rate without any other load."""
    device = torch.device(device)
    rates = {
        (dtype, backward): _convolution_gflops(setting, device, dtype, backward=backward)
        for dtype in (torch.float32, torch.bfloat16)
        for backward in (True, False)
    }
    return Ceilings(
        fp32_step_gflops=rates[torch.float32, True],
        bf16_step_gflops=rates[torch.bfloat16, True],
        fp32_forward_gflops=rates[torch.float32, False],
        bf16_forward_gflops=rates[torch.bfloat16, False],
        memory_gb_per_s=_memory_gb_per_s(setting, device),
    )


@lru_cache
def step_gflop_per_clip(width: int, height: int) -> float:
    """Arithmetic of a training step of the yardstick's ResNet-18 networks, forward and backward, for one clip.

    Counted on the yardstick's networks, so that the floor does not move when selfdepth's networks become cheaper.
    """
    with torch.device("meta"):  # shapes suffice to count
        model, frames = PlainModel(height, width), torch.empty(1, _VIEWS, _CHANNELS, height, width)
        with FlopCounterMode(display=False) as counter:
            model(frames, four_scales(frames), torch.empty(1, 4, 4)).backward()
    return counter.get_total_flops() / 1e9


@lru_cache
def depth_gflop_per_image(width: int, height: int) -> float:
    """Arithmetic of one forward pass of the yardstick's depth network, for one image."""
    with torch.device("meta"), torch.no_grad():
        network, image = PlainModel(height, width).depth_net, torch.empty(1, _CHANNELS, height, width)
        with FlopCounterMode(display=False) as counter:
            network(image)
    return counter.get_total_flops() / 1e9


def objective_bytes_per_clip(width: int, height: int) -> float:
    """The least that the objective must move: images and disparities read forward and again backward, gradients written
    once."""
    images = _VIEWS * _CHANNELS * width * height
    disparities = sum(width * height / 4**s for s in range(N_SCALES))
    return _FLOAT_BYTES * (2 * (images + disparities) + disparities)


def delivery_bytes_per_clip(width: int, height: int, *, floats: bool) -> float:
    """The least that the delivery of a batch must move, for one clip.

    Args:
        floats: each byte becomes two floats, clean and jittered; False: it is copied as a byte.
    """
    values = _VIEWS * _CHANNELS * width * height
    return values * (1 + (2 * _FLOAT_BYTES if floats else 1))


def _convolution_gflops(setting: Setting, device: torch.device, dtype: torch.dtype, *, backward: bool) -> float:
    """The rate of all layers together, each in its best round."""
    flop = seconds = 0.0
    for channels, reduction in _LAYERS:
        h, w = max(1, setting.height // reduction), max(1, setting.width // reduction)
        shape = (setting.batch, channels, h, w)
        x = torch.randn(shape, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(device, dtype)
        layer = layer.to(memory_format=torch.channels_last)
        x.requires_grad_(backward)
        gradient = torch.randn_like(x)

        def call(layer: torch.nn.Module = layer, x: Tensor = x, gradient: Tensor = gradient) -> None:
            with torch.set_grad_enabled(backward):
                y = layer(x)
            if backward:
                y.backward(gradient)

        # 9 C^2 multiply-adds per pixel, two operations each; backward computes two gradients of the same cost.
        flop += (3 if backward else 1) * 2 * 9 * channels**2 * setting.batch * h * w
        seconds += Spread.of(_seconds(call, setting, device)).low
    return flop / seconds / 1e9


def _memory_gb_per_s(setting: Setting, device: torch.device) -> float:
    # 128 MB an array: far larger than any cache, unless this is a trial.
    count = 2**25 if setting.round_s > 0.1 else 2**18
    a, b, c = (torch.ones(count, device=device) for _ in range(3))
    moved = 3 * _FLOAT_BYTES * count
    return moved / Spread.of(_seconds(lambda: torch.add(a, b, out=c), setting, device)).low / 1e9


def _seconds(call: Callable[[], object], setting: Setting, device: torch.device) -> Iterator[float]:
    """Seconds per call, of several measurements that each last about a tenth of a turn."""

    def timed(repeats: int) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - start) / repeats

    timed(2)
    repeats = max(1, round(0.1 * setting.round_s / max(timed(2), 1e-9)))
    return (timed(repeats) for _ in range(max(3, setting.rounds)))
