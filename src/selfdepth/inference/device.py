"""Which processor the networks run on, and in which arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from selfdepth.errors import ConfigError

Precision = Literal["auto", "fp32", "bf16"]


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
            fix="leave --device away to take what is there",
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
    # A CPU with bf16 vector instructions only is no faster than in fp32; one with matrix units (AMX) is.
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()
