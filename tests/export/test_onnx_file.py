"""ONNX: any batch and size, everything inside, and a description that is read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth.config.teacher import TeacherConfig
from selfdepth.export.graphs import Network, network_to_export
from selfdepth.export.onnx_file import open_onnx_runner, write_onnx
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.onnx_model import open_onnx
from selfdepth.weights.exported import METADATA_KEY, ExportedModel
from selfdepth.weights.files import LoadedWeights

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.compiled


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, network: Network) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(network, path)
    return path


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory: pytest.TempPathFactory, calibrated: LoadedWeights) -> Path:
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    samples: Sequence[np.ndarray] = [noise(1, 3, 64, 96), noise(1, 3, 64, 96) ** 2]
    write_onnx(network_to_export(calibrated, "depth", "int8", "fp32"), path, samples)
    return path


@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (3, 3, 64, 160)])
def test_any_batch_and_any_size_in_steps_of_32(written: Path, network: Network, shape: tuple[int, ...]) -> None:
    images = noise(*shape)
    with torch.inference_mode():
        expected = network.module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(open_onnx_runner(written)([images]), expected, rtol=1e-4)


def test_the_file_is_of_opset_18_and_pads_and_enlarges_by_one_operator_each(written: Path) -> None:
    model = onnx.load(written)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)]
    names = {node.op_type for node in model.graph.node}
    assert {"Pad", "Resize"} <= names
    assert not names & {"Gather", "Abs", "ScatterND", "Loop", "If", "BatchNormalization"}


def test_the_description_is_inside(written: Path, network: Network) -> None:
    model = onnx.load(written)
    entries = {each.key: each.value for each in model.metadata_props}
    assert ExportedModel.from_json(entries[METADATA_KEY], where=written) == network.about
    assert "unit: 1 / metres" in model.graph.output[0].doc_string


def test_the_file_is_a_teacher_without_options(written: Path) -> None:
    teacher = open_onnx(written, TeacherConfig(path=str(written)))
    assert (teacher.size, teacher.colours) == ((96, 64), "unit")


def test_the_file_is_a_model_that_predicts_as_the_original(written: Path, calibrated: LoadedWeights) -> None:
    image = (255 * noise(80, 120, 3)).astype(np.uint8)
    ours = Predictor(calibrated, device="cpu", precision="fp32").predict(image)
    there = Predictor.load(written, device="cpu").predict(image)
    np.testing.assert_allclose(there.disparity, ours.disparity, rtol=1e-4)
    assert (there.scale, there.metric, there.depth_is, there.camera) == (
        ours.scale,
        ours.metric,
        ours.depth_is,
        ours.camera,
    )


def test_in_int8_the_weights_take_a_quarter_and_the_head_stays_in_float(eight_bits: Path, written: Path) -> None:
    model = onnx.load(eight_bits)
    kinds = {node.op_type for node in model.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers["disparity"]
    while node.op_type != "Conv":
        assert "Linear" not in node.op_type
        node = makers[next(name for name in node.input if name in makers)]
    big = [each for each in model.graph.initializer if np.prod(each.dims) > 1000]
    assert all(each.data_type == onnx.TensorProto.INT8 for each in big)
    assert eight_bits.stat().st_size < 0.5 * written.stat().st_size


def test_int8_gives_nearly_the_same_at_another_size(eight_bits: Path, written: Path) -> None:
    images = noise(2, 3, 96, 64)
    exact, rounded = (open_onnx_runner(path)([images]) for path in (written, eight_bits))
    assert np.abs(rounded - exact).mean() < 0.05 * exact.mean()
    assert not np.array_equal(rounded, exact)
