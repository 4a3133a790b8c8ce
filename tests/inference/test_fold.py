"""A network made ready for prediction gives what it gave before, with fewer layers to run."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from selfdepth.inference.fold import for_prediction
from selfdepth.networks.depth import DepthNet


def network(encoder: str) -> DepthNet:
    """With statistics and factors that a training could have left, all different from those of a new one."""
    torch.manual_seed(0)
    net = DepthNet(encoder)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (module.bias, module.running_mean):
                nn.init.normal_(values, std=0.2)
    return net.eval().requires_grad_(False)


def norms(net: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())


@pytest.mark.parametrize(
    ("encoder", "left"),
    [("resnet18", 0), ("resnet50", 0), ("test_resnet", None), ("resnet10t", None), ("mobilenetv3_small_050", None)],
)
def test_the_disparity_is_the_same_and_the_paper_s_encoders_keep_no_normalisation(
    encoder: str, left: int | None
) -> None:
    net = network(encoder).double()
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    wanted, before = net(images), norms(net)
    ready = for_prediction(copy.deepcopy(net), torch.float64)
    for got, expected in zip(ready(images), wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)
    assert norms(ready) <= before
    if left is not None:
        assert norms(ready) == left


def test_convolutions_are_converted_once_but_the_heads_stay_exact() -> None:
    ready = for_prediction(network("resnet18"), torch.bfloat16)
    heads = set(ready.decoder.outputs)
    kinds = {module in heads: module.weight.dtype for module in ready.modules() if isinstance(module, nn.Conv2d)}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert ready(torch.rand(1, 3, 64, 96))[0].dtype == torch.float32
