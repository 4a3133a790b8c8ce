"""A depth network in an ONNX file: what it is fed follows from the model, and a model of another kind is refused."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfdepth.config.teacher import TeacherConfig
from selfdepth.errors import ConfigError, DataError
from selfdepth.networks.onnx_model import IMAGENET_MEAN, IMAGENET_STD, OnnxModel, digest_of_files, open_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

Shape = Sequence[int | str]
FIRST: Shape = (1, 3, "h", "w")


def write(
    path: Path,
    shape: Shape = FIRST,
    *,
    axis: int = 1,
    keep: int = 1,
    kind: int = onnx.TensorProto.FLOAT,
    outputs: int = 1,
    inputs: int = 1,
    about: dict[str, str] | None = None,
) -> str:
    """A model whose map is the mean of the colours along `axis`."""
    names = [f"image{i}" for i in range(inputs)]
    given = [onnx.helper.make_tensor_value_info(name, kind, shape) for name in names]
    nodes = [onnx.helper.make_node("Cast", [names[-1]], ["cast"], to=onnx.TensorProto.FLOAT)]
    made = []
    for i in range(outputs):
        nodes.append(onnx.helper.make_node("ReduceMean", ["cast"], [f"map{i}"], axes=[axis], keepdims=keep))
        made.append(onnx.helper.make_tensor_value_info(f"map{i}", onnx.TensorProto.FLOAT, None))
    graph = onnx.helper.make_graph(nodes, "teacher", given, made)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.helper.set_model_props(model, about or {})
    onnx.save(model, path)
    return str(path)


def opened(path: str, **options: Any) -> OnnxModel:
    return open_onnx(Path(path), TeacherConfig(path=path, **options))


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)


LAYOUTS = {
    "colours first": ((1, 3, "h", "w"), 1, 1),
    "colours first, any batch": (("n", 3, 32, 64), 1, 0),
    "colours last": ((1, "h", "w", 3), 3, 1),
    "no batch": ((3, "h", "w"), 0, 1),
    "no batch, colours last": ((32, 64, 3), 2, 0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16])
def test_the_layout_follows_from_the_shape_of_the_input(
    tmp_path: Path, image: np.ndarray, layout: str, kind: int
) -> None:
    shape, axis, keep = LAYOUTS[layout]
    made = opened(write(tmp_path / "t.onnx", shape, axis=axis, keep=keep, kind=kind))(image)
    colours = (image / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(made, colours.mean(-1), atol=2e-3)


@pytest.mark.parametrize(
    ("colours", "twin"),
    [("unit", lambda x: x / 255), ("symmetric", lambda x: x / 127.5 - 1)],
)
@pytest.mark.parametrize("by", ["option", "metadata"])
def test_colours_are_what_the_option_or_the_model_says(
    tmp_path: Path, image: np.ndarray, colours: Any, twin: Callable[[np.ndarray], np.ndarray], by: str
) -> None:
    path = write(tmp_path / "t.onnx", about={"colours": colours} if by == "metadata" else None)
    model = opened(path, colours=colours) if by == "option" else opened(path)
    np.testing.assert_allclose(model(image), twin(image.astype(np.float64)).mean(-1), atol=1e-6)


def test_an_option_wins_over_what_the_model_states(tmp_path: Path) -> None:
    path = write(tmp_path / "t.onnx", about={"colours": "unit", "size": "28x14"})
    assert (opened(path).colours, opened(path).size) == ("unit", (28, 14))
    model = opened(path, colours="symmetric", size="56x28")
    assert (model.colours, model.size) == ("symmetric", (56, 28))


def test_a_model_that_takes_bytes_gets_them(tmp_path: Path, image: np.ndarray) -> None:
    path = write(tmp_path / "t.onnx", (1, "h", "w", 3), axis=3, kind=onnx.TensorProto.UINT8)
    np.testing.assert_allclose(opened(path)(image), image.mean(-1), rtol=1e-6)
    with pytest.raises(ConfigError, match=r"takes bytes.*--teacher\.colours"):
        opened(path, colours="unit")


@pytest.mark.parametrize(
    ("shape", "options", "about", "expected"),
    [
        (FIRST, {}, {}, (32, 64)),
        ((1, 3, 28, 56), {}, {}, (28, 56)),
        ((1, 3, 28, 28), {}, {}, (28, 28)),
        (FIRST, {"size": "42x14"}, {}, (14, 42)),
        (FIRST, {}, {"size": "42x14"}, (14, 42)),
        ((1, 3, 28, "w"), {"size": "42x28"}, {}, (28, 42)),
    ],
)
def test_the_size_is_the_models_own_else_the_option_else_what_it_states_else_that_of_the_frame(
    tmp_path: Path, image: np.ndarray, shape: Shape, options: Any, about: Any, expected: tuple[int, int]
) -> None:
    assert opened(write(tmp_path / "t.onnx", shape, about=about), **options)(image).shape == expected


def test_the_file_of_the_weights_counts_for_the_digest_too(tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    write(path)
    digests = [digest_of_files(path)]
    for name, content in (("t.onnx.data", "a"), ("t.onnx.data", "b"), ("other.onnx", "c")):
        (tmp_path / name).write_text(content)
        digests.append(digest_of_files(path))
    assert len(set(digests)) == 3 and digests[3] == digests[2]


BAD: dict[str, tuple[Callable[[Path], object], dict[str, Any], str]] = {
    "text": (lambda path: path.write_text("no model"), {}, "cannot be read: .*t.onnx"),
    "half a file": (lambda path: (write(path), path.write_bytes(path.read_bytes()[:90])), {}, "cannot be read"),
    "empty": (lambda path: path.touch(), {}, "cannot be read"),
    "two outputs": (lambda path: write(path, outputs=2), {}, "one image in and one map out; .*outputs map0, map1"),
    "two inputs": (lambda path: write(path, inputs=2), {}, "inputs image0, image1"),
    "one colour": (lambda path: write(path, (1, 1, "h", "w")), {}, "3 colours.*got 1x1xhxw"),
    "a batch of four": (lambda path: write(path, (4, 3, 8, 8)), {}, "one image with 3 colours.*got 4x3x8x8"),
    "whole numbers": (lambda path: write(path, kind=onnx.TensorProto.INT64), {}, "input of type.*int64"),
    "unknown colours": (lambda path: write(path, about={"colours": "bgr"}), {}, "metadata 'colours' of.*got 'bgr'"),
    "no size": (lambda path: write(path, about={"size": "518"}), {}, "metadata 'size' such as.*got '518'"),
    "another size": (lambda path: write(path, (1, 3, 14, 28)), {"size": "28x28"}, "expected 28x14; got 28x28"),
    "one side": (lambda path: write(path, (1, 3, 14, "w")), {}, "only one side.*got anyx14; give both with --tea"),
    "an endless image": (lambda path: write(path, (1, 3, 100_000, 100_000)), {}, "too large: .*got 10,000 megapixels"),
    "an endless image, as stated": (lambda path: write(path, about={"size": "8192x8192"}), {}, "got 67 megapixels"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_a_teacher_is_refused_when_it_is_opened(tmp_path: Path, name: str) -> None:
    spoil, options, sentence = BAD[name]
    spoil(tmp_path / "t.onnx")
    with pytest.raises((ConfigError, DataError), match=sentence):
        opened(str(tmp_path / "t.onnx"), **options)


@pytest.mark.parametrize(
    ("axis", "sentence"),
    [
        (0, "one map of the image; got an output of 1x3x32x64"),
        (3, r"another shape than the image: the output of .*t\.onnx; expected about the aspect of 64x32; got 32x3"),
    ],
)
def test_an_output_that_is_no_map_of_the_image_is_refused(
    tmp_path: Path, image: np.ndarray, axis: int, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        opened(write(tmp_path / "t.onnx", axis=axis))(image)


def test_a_model_that_fails_on_the_size_says_so(tmp_path: Path, image: np.ndarray) -> None:
    path = write(tmp_path / "t.onnx", (1, 3, 28, 28))
    model = opened(path)
    object.__setattr__(model, "size", (30, 28))
    with pytest.raises(DataError, match=r"fails on an image: .*got 30x28: .*--teacher.size"):
        model(image)


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.onnx")
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"needs onnxruntime: .*t.onnx; pip install 'selfdepth\[onnx\]'"):
        opened(path)
