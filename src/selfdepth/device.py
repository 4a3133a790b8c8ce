"""The device on which the networks run, and the precision of their arithmetic."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch

from selfdepth.errors import ConfigError, SelfDepthWarning

Precision = Literal["auto", "fp32", "bf16"]

_WORTHWHILE_GAIN = 1.2
"""A smaller gain is within the noise of the measurement, and not worth the digits that bf16 loses."""
_OPTIONS = {"device": "--device ", "precision": "--precision ", "threads": "the environment variable OMP_NUM_THREADS="}
"""How a user chooses each part of the arithmetic."""
_TIMINGS = 8
"""Repetitions of the measurement; the fastest counts, since other programs can only make it slower."""


def resolve_device(name: str) -> torch.device:
    """The device of this name; "auto" is the first CUDA GPU, else Apple's GPU, else the CPU.

    Raises:
        ConfigError: for a name that torch does not know, or a device that the machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)  # torch.device accepts "cuda:77"; only an allocation fails
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            "the device cannot be used",
            where="--device",
            expected="auto, cpu, cuda, cuda:1 or mps, and a machine that has it",
            got=name,
            fix="leave --device out to use the best device of this machine",
        ) from error
    return device


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype in which the networks compute. "auto" is bf16 where the device is faster in it than in fp32.

    Raises:
        ConfigError: for a precision that does not exist.
    """
    if precision == "auto":
        return torch.bfloat16 if _is_fast_in_bf16(device) else torch.float32
    if precision not in ("fp32", "bf16"):
        raise ConfigError("unknown precision", where="--precision", expected="auto, fp32 or bf16", got=str(precision))
    return torch.bfloat16 if precision == "bf16" else torch.float32


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What decides the last digits of a run, beside its options.

    Attributes:
        device: "cpu", "cuda" or "mps".
        precision: of the networks.
        threads: among which the CPU divides its sums; 0 where the CPU does not compute.
    """

    device: str
    precision: Literal["fp32", "bf16"]
    threads: int

    @property
    def dtype(self) -> torch.dtype:
        """Of the networks."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32


def choose_arithmetic(precision: Precision, device: torch.device, before: Arithmetic | None = None) -> Arithmetic:
    """The arithmetic of a run.

    Args:
        before: that of the run which is continued. "auto" is then what it was before: a measurement may fall on either
            side of its limit.

    Warns:
        SelfDepthWarning: if it cannot be, or is not asked to be, the one before. The run is then not the one that it
            would have been without a stop, digit for digit.
    """
    if before is not None and precision == "auto":
        precision = before.precision
    dtype = resolve_precision(precision, device)
    now = Arithmetic(
        device=device.type,
        precision="bf16" if dtype == torch.bfloat16 else "fp32",
        threads=torch.get_num_threads() if device.type == "cpu" else 0,
    )
    for what, option in _OPTIONS.items():
        was, is_now = getattr(before or now, what), getattr(now, what)
        if was and is_now and was != is_now:
            warnings.warn(
                f"the run goes on in another arithmetic, {what} {is_now} instead of {was}: its last digits will differ "
                f"from those of a run without a stop. To keep them: {option}{was}",
                SelfDepthWarning,
                stacklevel=2,
            )
    return now


@contextmanager
def memory_errors(fix: str) -> Iterator[None]:
    """Turn a GPU's out-of-memory error into a ConfigError that ends with `fix`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError("the GPU is out of memory", fix=fix) from error


def _is_fast_in_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        # Ampere (8.0) brought bf16 to the tensor cores; older GPUs emulate it.
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _bf16_gain_on_cpu() > _WORTHWHILE_GAIN


@cache
def _bf16_gain_on_cpu() -> float:
    """How many times faster in bf16 than in fp32 this CPU computes a convolution like those of the networks.

    Measured, in some tenths of a second, because the instructions do not tell: of two CPUs with the same bf16
    instructions, one ran at twice its fp32 speed and the other at half of it.
    """
    if not torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported():
        return 0.0  # emulated, and slower than fp32 by far
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
