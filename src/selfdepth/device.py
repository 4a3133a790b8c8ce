"""Which processor the networks run on, and in which arithmetic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch

from selfdepth.errors import ConfigError

Precision = Literal["auto", "fp32", "bf16"]

_WORTHWHILE_GAIN = 1.2
_TIMINGS = 8


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first CUDA GPU, else Apple's, else the CPU.

    Raises:
        ConfigError: for a name torch does not know or a device that is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            "the device cannot be used",
            where="--device",
            expected="auto, cpu, cuda, cuda:1 or mps, and a machine that has it",
            got=name,
            fix="leave --device out to take what is there",
        ) from error
    return device


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """What the networks compute in. "auto" is bf16 only where the processor is faster in it than in fp32.

    Raises:
        ConfigError: for a precision that does not exist.
    """
    if precision == "auto":
        return torch.bfloat16 if _is_fast_in_bf16(device) else torch.float32
    if precision not in ("fp32", "bf16"):
        raise ConfigError("no such precision", where="--precision", expected="auto, fp32 or bf16", got=str(precision))
    return torch.bfloat16 if precision == "bf16" else torch.float32


@contextmanager
def memory_errors(fix: str) -> Iterator[None]:
    """Turn an accelerator that runs out of memory into one sentence that ends with `fix`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError("the GPU is out of memory", fix=fix) from error


def _is_fast_in_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _bf16_gain_on_cpu() > _WORTHWHILE_GAIN


@cache
def _bf16_gain_on_cpu() -> float:
    """How many times faster than in fp32 this processor computes a convolution of the networks in bf16.

    Measured, in some tenths of a second: two processors with the same bf16 instructions were seen to be at twice
    and at half their fp32 speed.
    """
    if not torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported():
        return 0.0  # emulated
    times_s: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    images = torch.zeros(4, 64, 48, 160).contiguous(memory_format=torch.channels_last)
    kernel = torch.zeros(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for _ in range(_TIMINGS):
            for dtype, taken in times_s.items():
                x, weight = images.to(dtype), kernel.to(dtype)
                start = time.perf_counter()
                torch.nn.functional.conv2d(x, weight, padding=1)
                taken.append(time.perf_counter() - start)
    return min(times_s[torch.float32]) / min(times_s[torch.bfloat16])
