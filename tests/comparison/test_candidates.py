"""Models of several kinds, opened for a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.comparison_place import Place
from selfdepth.comparison.candidates import open_candidates
from selfdepth.config.quantity import Quantity
from selfdepth.errors import SelfDepthError


def test_every_kind_of_model_is_known_with_its_bytes_and_weights(place: Place) -> None:
    models = [str(place.run), str(place.onnx), str(place.export)]
    run, other, export = open_candidates(models, ("disparity",), "cpu")
    assert [each.kind for each in (run, other, export)] == ["run", "ONNX", "export"]
    assert run.bytes == (place.run / "model.safetensors").stat().st_size
    assert other.bytes == place.onnx.stat().st_size
    assert run.parameters is not None and run.parameters > 1000 and other.parameters == 3
    assert run.trained_on(place.pictures) and not run.trained_on(place.kitti) and not other.trained_on(place.pictures)


def test_one_word_is_for_all_and_several_are_for_one_each(place: Place, tmp_path: Path) -> None:
    from helpers.onnx_models import write_onnx

    second = str(write_onnx(tmp_path / "second.onnx"))
    models = [str(place.onnx), str(place.export), second]

    def gives(*words: Quantity) -> list[Quantity]:
        return [each.weights.gives for each in open_candidates(models, words, "cpu")]  # type: ignore[union-attr]

    assert gives("depth") == ["depth", "disparity", "depth"]
    assert gives("depth", "depth-metres") == ["depth", "disparity", "depth-metres"]


BAD: dict[str, tuple[tuple[str, ...], tuple[Quantity, ...], str]] = {
    "unsaid": (("onnx",), (), "nobody says what"),
    "too many words": (("onnx",), ("depth", "depth"), "one word, or one for each: .*any.onnx; got depth depth"),
    "no such model": (("run", "export"), ("depth",), "none: there is no such model here; got depth; leave it out"),
    "twice": (("run", "run"), (), "named twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_words_that_do_not_fit_the_models_are_refused(place: Place, name: str) -> None:
    models, words, sentence = BAD[name]
    with pytest.raises(SelfDepthError, match=sentence):
        open_candidates([str(getattr(place, each)) for each in models], words, "cpu")
