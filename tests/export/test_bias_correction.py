"""Rounded weights, and the biases that make up for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.export.bias_correction import correct_biases, rounded

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
SAMPLES = [RNG.random((1, 3, 8, 8), np.float32) ** 2 for _ in range(3)]


def two_layers(weights: list[ndarray]) -> Any:
    """A convolution over 3 channels, then one of each channel with itself; 1x1, so that no edge changes a mean."""
    tensors = {"w0": weights[0], "w1": weights[1], "b0": np.zeros(6, np.float32), "b1": np.ones(6, np.float32)}
    nodes = [
        onnx.helper.make_node("Conv", ["image", "w0", "b0"], ["middle"], name="first"),
        onnx.helper.make_node("Conv", ["middle", "w1", "b1"], ["out"], name="second", group=6),
    ]
    given = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 3, 8, 8))
    made = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, (1, 6, 8, 8))
    values = [onnx.numpy_helper.from_array(each, name) for name, each in tensors.items()]
    graph = onnx.helper.make_graph(nodes, "two", [given], [made], values)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)


def parts(model: Any) -> dict[str, ndarray]:
    return {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}


def means(model: Any, weights: list[ndarray]) -> ndarray:
    """Of each channel of both layers over all samples, with other weights and the model's biases."""
    biases = parts(model)
    pixels = np.concatenate(SAMPLES).transpose(1, 0, 2, 3).reshape(3, -1)
    middle = weights[0][:, :, 0, 0] @ pixels + biases["b0"][:, None]
    return np.stack([middle, weights[1][:, 0, 0] * middle + biases["b1"][:, None]]).mean(2)


@pytest.fixture
def weights() -> list[ndarray]:
    return [RNG.normal(size=shape).astype(np.float32) for shape in ((6, 3, 1, 1), (6, 1, 1, 1))]


def test_with_rounded_weights_the_mean_of_every_channel_is_that_of_the_float_model(weights: list[ndarray]) -> None:
    model = two_layers(weights)
    exact = means(model, weights)
    coarse = [rounded(weights[0]), weights[1]]
    plain = means(model, coarse)
    correct_biases(model, SAMPLES, ("second",))
    assert np.abs(plain - exact).max() > 1e-4
    np.testing.assert_allclose(means(model, coarse), exact, atol=1e-6)


def test_of_each_channel_alone_the_only_weight_is_exact_and_its_bias_stays(weights: list[ndarray]) -> None:
    model = two_layers(weights)
    correct_biases(model, SAMPLES, ("first",))
    np.testing.assert_allclose(parts(model)["b1"], 1, atol=1e-6)
    assert (parts(model)["b0"] == 0).all()


def test_a_bias_that_two_convolutions_share_is_corrected_for_each(weights: list[ndarray]) -> None:
    apart, shared = two_layers(weights), two_layers(weights)
    next(each for each in apart.graph.initializer if each.name == "b1").CopyFrom(
        onnx.numpy_helper.from_array(np.zeros(6, np.float32), "b1")
    )
    shared.graph.node[1].input[2] = "b0"
    for model in (apart, shared):
        correct_biases(model, SAMPLES, ())
    expected, found = ([parts(model)[node.input[2]] for node in model.graph.node] for model in (apart, shared))
    assert np.abs(expected[0]).max() > 0
    np.testing.assert_array_equal(found, expected)


def test_rounded_weights_are_within_half_a_step_and_zeros_stay(weights: list[ndarray]) -> None:
    weights[0][2] = 0
    coarse = rounded(weights[0])
    step = np.abs(weights[0]).max((1, 2, 3)) / 127
    assert (np.abs(coarse - weights[0]).max((1, 2, 3)) <= step / 2 + 1e-7).all() and (coarse[2] == 0).all()
