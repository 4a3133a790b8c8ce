"""torch.export: any batch and size, and the description beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth.export.graphs import Network
from selfdepth.export.torch_file import open_torch_runner, write_torch
from selfdepth.weights.exported import ExportedModel

pytestmark = pytest.mark.compiled


def test_any_batch_and_any_size_and_a_description_beside(tmp_path: Path, network: Network) -> None:
    path = tmp_path / "model.pt2"
    write_torch(network, path)
    run = open_torch_runner(path)
    for shape in ((1, 3, 64, 96), (2, 3, 64, 128)):
        images = np.random.default_rng(0).random(shape, np.float32)
        with torch.inference_mode():
            expected = network.module(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(run([images]), expected, rtol=1e-5)
    text = (tmp_path / "model.pt2.json").read_text(encoding="utf-8")
    assert ExportedModel.from_json(text, where=path) == network.about
