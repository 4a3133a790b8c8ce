"""Forms that a small runtime takes whole: equal in value to what they stand for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfdepth.export.whole import doubled, elu, reflected, whole_forms

IMAGES = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (0, 1, 2, 0), (3, 2, 0, 4), (0, 0, 0, 0)])
def test_joined_slices_are_reflection_padding_bit_by_bit(padding: tuple[int, int, int, int]) -> None:
    assert torch.equal(reflected(IMAGES, padding), F.pad(IMAGES, padding, mode="reflect"))


def test_joined_copies_are_the_nearest_neighbours_bit_by_bit() -> None:
    assert torch.equal(doubled(IMAGES), F.interpolate(IMAGES, scale_factor=2.0, mode="nearest"))


@pytest.mark.parametrize("factors", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.0)])
def test_the_sum_of_its_branches_is_elu(factors: tuple[float, float, float]) -> None:
    values = torch.tensor([-50.0, -1.0, -1e-4, 0.0, 1e-4, 3.0, 50.0])
    torch.testing.assert_close(elu(values, *factors), torch.ops.aten.elu(values, *factors), rtol=1e-6, atol=1e-7)


class Decoder(nn.Module):
    """What the decoder is made of."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.elu(F.pad(x, (1, 1, 1, 1), mode="reflect"))
        return F.pad(F.interpolate(x, scale_factor=2.0, mode="nearest"), (0, 1, 0, 1))


@pytest.mark.compiled
def test_a_traced_network_has_none_of_the_operators_left_and_the_same_values() -> None:
    program = torch.export.export(Decoder(), (IMAGES,)).run_decompositions(whole_forms())
    names = {str(node.target).split(".")[1] for node in program.graph.nodes if "aten." in str(node.target)}
    assert not names & {"elu", "pad", "reflection_pad2d", "upsample_nearest2d", "index", "abs"}
    torch.testing.assert_close(program.module()(IMAGES), Decoder()(IMAGES), rtol=1e-6, atol=1e-7)
