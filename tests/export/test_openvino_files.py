"""OpenVINO: the same numbers, the description inside, half the bytes in fp16."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth.export.graphs import Network
from selfdepth.export.openvino_files import open_openvino_runner, write_openvino
from selfdepth.weights.exported import METADATA_KEY, ExportedModel

openvino = pytest.importorskip("openvino")
pytestmark = pytest.mark.compiled


def test_the_graph_runs_at_any_size_and_knows_what_it_is(tmp_path: Path, network: Network) -> None:
    path = tmp_path / "model.xml"
    write_openvino(network, path)
    assert {file.name for file in tmp_path.iterdir()} == {"model.xml", "model.bin"}
    images = np.random.default_rng(0).random((2, 3, 64, 128), np.float32)
    with torch.inference_mode():
        expected = network.module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(open_openvino_runner(path)([images]), expected, rtol=1e-3)
    text = openvino.Core().read_model(path).get_rt_info([METADATA_KEY]).astype(str)
    assert ExportedModel.from_json(text, where=path) == network.about
    whole = (tmp_path / "model.bin").stat().st_size
    write_openvino(replace(network, about=replace(network.about, precision="fp16")), path)
    assert (tmp_path / "model.bin").stat().st_size < 0.6 * whole
