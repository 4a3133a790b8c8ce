"""Which kind of model a MODEL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.models import tiny_config, write_model
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.weights.files import LoadedWeights
from selfdepth.weights.models import StatedModel, has_confidence, load_model


def test_a_folder_is_read_as_weights(tmp_path: Path) -> None:
    weights = load_model(write_model(tmp_path / "model", tiny_config()))
    assert isinstance(weights, LoadedWeights) and not has_confidence(weights)


def test_a_model_that_says_itself_what_it_gives_is_not_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", tiny_config())
    with pytest.raises(ConfigError, match=r"--predictions-are applies only with .*got depth, for .*model"):
        load_model(StatedModel(str(folder), "depth"))


def test_an_onnx_file_is_opened_and_one_that_is_not_there_is_no_name_of_a_hub(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from helpers.onnx_models import write_exported, write_onnx

    assert load_model(StatedModel(str(write_onnx(tmp_path / "a.onnx")), "depth")).scale == "relative"
    exported = load_model(write_exported(tmp_path / "B.ONNX"))
    assert not isinstance(exported, LoadedWeights) and exported.exported is not None and not has_confidence(exported)
    with pytest.raises(CheckpointError, match=r"there is no such model: nobody/missing\.onnx; expected .*an ONNX file"):
        load_model("nobody/missing.onnx")
