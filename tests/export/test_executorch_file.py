"""ExecuTorch: XNNPACK takes padding, enlarging and ELU, with the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth.export.executorch_file import delegates_and_rest, lowered, open_executorch_runner, write_executorch
from selfdepth.export.graphs import Network
from selfdepth.weights.exported import ExportedModel

pytest.importorskip("executorch")
pytestmark = [pytest.mark.compiled, pytest.mark.slow]


def test_xnnpack_runs_all_but_the_pooling_that_it_does_not_know_in_one_piece(network: Network) -> None:
    n_delegates, rest = delegates_and_rest(lowered(network))
    outside = [name for name in rest if "dim_order" not in name]  # those are of single numbers
    pools = [name for name in outside if "avg_pool2d" in name]  # of this small encoder: XNNPACK has none that rounds up
    assert outside == pools and n_delegates == 1 + len(pools)


def test_its_numbers_are_ours_and_a_description_lies_beside(tmp_path: Path, network: Network) -> None:
    path = tmp_path / "model.pte"
    write_executorch(network, path)
    images = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    with torch.inference_mode():
        expected = network.module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(open_executorch_runner(path)([images]), expected, rtol=1e-4)
    text = (tmp_path / "model.pte.json").read_text(encoding="utf-8")
    assert ExportedModel.from_json(text, where=path) == network.about
