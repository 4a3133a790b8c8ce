"""Batch normalisation over all processes. That several are as one is a law of whole runs, in test_distributed.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import pytest
import torch
import torch.distributed as dist
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from selfdepth.engine.batch_norm import synchronise
from selfdepth.engine.distributed import running_statistics_of
from selfdepth.errors import ConfigError

KINDS: list[Callable[[], nn.Module]] = [
    lambda: nn.BatchNorm2d(3),
    lambda: nn.BatchNorm2d(3, affine=False),
    lambda: nn.BatchNorm2d(3, momentum=None),
    lambda: nn.BatchNorm2d(3, track_running_stats=False),
    lambda: BatchNormAct2d(3, act_layer=nn.ELU),  # smooth: a rounded number near 0 does not lose its gradient
]


@pytest.fixture
def alone() -> Iterator[None]:
    """A connection of one process to itself."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def passed(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What two steps and a prediction give: outputs, gradients and statistics."""
    for _ in range(2):
        x = x.detach().flip(0).requires_grad_()
        y = network(x)
        (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    assert x.grad is not None
    found = {"y": y, "x": x.grad} | {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return found | dict(network.named_buffers()) | {"predicted": network.eval()(x)}


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4), (torch.bfloat16, 2e-2)]
)
def test_one_process_normalises_as_torch_does(
    alone: None, make: Callable[[], nn.Module], dtype: torch.dtype, tolerance: float
) -> None:
    plain = nn.Sequential(make())
    if dtype == torch.float64:
        plain.double()
    synchronised = deepcopy(plain)
    synchronise(synchronised)
    assert synchronised.state_dict().keys() == plain.state_dict().keys()
    # Far from zero, where the mean of the squares less the square of the mean would be noise.
    x = (100 + torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))).to(dtype)
    expected, found = passed(plain, x), passed(synchronised, x)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=tolerance, atol=tolerance, msg=name)


def test_the_statistics_of_synchronised_norms_need_no_average() -> None:
    learner = nn.Sequential(nn.BatchNorm2d(2), BatchNormAct2d(3))
    assert len(running_statistics_of(learner)) == 4
    synchronise(learner)
    assert running_statistics_of(learner) == []


def test_an_encoder_with_another_kind_is_refused_as_a_whole() -> None:
    learner = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm3d(2))
    with pytest.raises(ConfigError, match=r"--sync-batch-norm.*got BatchNorm3d"):
        synchronise(learner)
    assert type(learner[0]) is nn.BatchNorm2d
