"""Rounded weights move the mean of what a convolution gives; its bias can take that back, at no cost.

As in Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019), with the means
of the user's own frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

_LEVELS = 127
"""Of weights in int8, symmetric and per channel, as onnxruntime rounds them."""


def correct_biases(model: Any, samples: Sequence[Float32[ndarray, "1 3 h w"]], excluded: Collection[str]) -> None:
    """Change the biases of the convolutions of an ONNX model, in place, so that rounding their weights moves no mean.

    Args:
        model: in float.
        samples: images from which the means of the convolutions' inputs are measured.
        excluded: names of nodes whose weights stay as they are.
    """
    from onnx import numpy_helper

    tensors = {each.name: each for each in model.graph.initializer}
    uses = Counter(name for node in model.graph.node for name in node.input)
    convs = [node for node in model.graph.node if node.op_type == "Conv" and node.name not in excluded]
    convs = [node for node in convs if len(node.input) == 3 and {*node.input[1:]} <= tensors.keys()]
    means = _input_means(model, {node.input[0] for node in convs}, samples)
    for node in convs:
        weights, bias = (numpy_helper.to_array(tensors[name]) for name in node.input[1:])
        groups = next((each.i for each in node.attribute if each.name == "group"), 1)
        # For each output the sum over a kernel of what rounding adds, times the mean of the input that it meets.
        added = (rounded(weights) - weights).sum((2, 3), dtype=np.float64)
        met = means[node.input[0]].reshape(groups, -1).repeat(len(weights) // groups, axis=0)
        corrected = (bias - (added * met).sum(1)).astype(bias.dtype)
        if uses[node.input[2]] > 1:  # equal biases are stored once, but not corrected alike
            name = f"{node.name}/{node.input[2]}"
            model.graph.initializer.append(numpy_helper.from_array(corrected, name))
            node.input[2] = name
        else:
            tensors[node.input[2]].CopyFrom(numpy_helper.from_array(corrected, node.input[2]))


def rounded(weights: Float[ndarray, "o i _k _l"]) -> Float[ndarray, "o i _k _l"]:
    """Weights as eight bits hold them, each output channel at its own step."""
    step = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / _LEVELS
    step[step == 0] = 1
    return np.asarray(np.round(weights / step) * step, weights.dtype)


def _input_means(
    model: Any, names: Collection[str], samples: Sequence[Float32[ndarray, "1 3 h w"]]
) -> dict[str, Float[ndarray, "_i"]]:
    """The mean of each channel of each of these values over the samples."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    (given,) = watched.graph.input
    inside = sorted({*names} - {given.name})
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    watched.graph.output.extend(() if inside else model.graph.output)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    totals: dict[str, Any] = dict.fromkeys(names, 0.0)
    for sample in samples:
        ran = session.run(inside, {given.name: sample}) if inside else []  # an empty list would ask for nothing
        found = dict(zip(inside, ran, strict=True)) | {given.name: sample}
        for name in names:
            totals[name] = totals[name] + found[name].mean((0, 2, 3), dtype=np.float64)
    return {name: total / len(samples) for name, total in totals.items()}
