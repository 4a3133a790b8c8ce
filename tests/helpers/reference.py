"""The weights that the reference outputs of the networks were made with."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def reference_tensor(variant: str, file: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight that the reference outputs were made with: a function of its published name."""
    name = f"{variant}/{file}/{key}"
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = key.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if kind == "running_var":
        return rng.uniform(0.5, 1.5, shape)
    if kind == "running_mean":
        return 0.1 * rng.standard_normal(shape)
    if len(shape) >= 2:
        return rng.standard_normal(shape) * np.sqrt(1 / math.prod(shape[1:]))
    return rng.uniform(0.5, 1.5, shape) if kind == "weight" else 0.1 * rng.standard_normal(shape)


def load_reference(network: Network, variant: str, rename: Callable[[str], tuple[str, str]]) -> Network:
    state = {
        key: torch.from_numpy(np.asarray(reference_tensor(variant, *rename(key), tuple(tensor.shape))))
        for key, tensor in network.state_dict().items()
    }
    network.double().load_state_dict(state)
    return network.eval()


def close(got: torch.Tensor, wanted: np.ndarray) -> bool:
    return bool(np.linalg.norm(got.numpy() - wanted) < 1e-9 * np.linalg.norm(wanted))
