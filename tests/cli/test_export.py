"""`selfdepth export`: a model in the format that other software reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch

from helpers.models import tiny_config, write_model
from selfdepth.cli.export import ExportArgs, export
from selfdepth.config import EncoderConfig
from selfdepth.errors import CheckpointError, ConfigError, OutputError, SelfDepthWarning
from selfdepth.structs import MetricScale
from selfdepth.weights.files import load_weights
from selfdepth.weights.metres import write_copy


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose encoder the published format can hold, with a pose network of a few layers."""
    encoder = EncoderConfig(name="resnet18", pretrained=False, pose_network="posecnn")
    return write_model(tmp_path_factory.mktemp("resnet"), tiny_config(encoder=encoder))


def test_an_exported_model_is_read_back_unchanged(
    resnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "published"
    export(ExportArgs(model=str(resnet), format="monodepth2", out=str(out)))
    assert capsys.readouterr().out == f"wrote monodepth2 to {out}\n"
    assert {path.name for path in out.iterdir()} == {"encoder.pth", "depth.pth", "pose.pth"}
    before, after = load_weights(resnet), load_weights(out)
    assert before.state.keys() == after.state.keys()
    assert all(torch.equal(after.state[name], tensor) for name, tensor in before.state.items())
    assert (after.config.width, after.config.height) == (before.config.width, before.config.height)


def test_the_factor_to_metres_which_the_format_cannot_hold_is_said(resnet: Path, tmp_path: Path) -> None:
    metric = MetricScale(factor=25.0, spread=0.05, witness="height 1.65 m")
    write_copy(tmp_path / "calibrated", load_weights(resnet), metric)
    with pytest.warns(SelfDepthWarning, match="multiply its depth by 25"):
        export(ExportArgs(model=str(tmp_path / "calibrated"), format="monodepth2", out=str(tmp_path / "out")))


def test_a_model_that_the_format_cannot_hold_is_refused(moving_model: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not fit the published networks.*got the encoder test_resnet"):
        export(ExportArgs(model=str(moving_model), format="monodepth2", out=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit_their_network_are_refused_whatever_the_format(tmp_path: Path, model: Path) -> None:
    for file in model.iterdir():
        text = file.read_bytes()
        (tmp_path / file.name).write_bytes(text.replace(b'"name": "test_resnet"', b'"name": "resnet18"'))
    for name in get_args(get_type_hints(ExportArgs)["format"]):
        with pytest.raises(CheckpointError, match="the weights do not fit the network"):
            export(ExportArgs(model=str(tmp_path), format=name, out=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file_is_refused(resnet: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="the output folder is a file"):
        export(ExportArgs(model=str(resnet), format="monodepth2", out=str(tmp_path / "out")))


@pytest.mark.parametrize(
    "changes",
    [{"network": "pose"}, {"precision": "fp16"}, {"calibrate": "x"}, {"frames": "x"}, {"licence": "CC0"}],
)
def test_the_published_format_takes_no_option_of_the_others(
    resnet: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=rf"nothing else: --{next(iter(changes))}; got --format monodepth2"):
        export(ExportArgs(model=str(resnet), format="monodepth2", out=str(tmp_path / "out"), **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.compiled
def test_a_report_says_how_the_export_compares(
    resnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.pt2"
    with pytest.warns(SelfDepthWarning, match="compared on rendered ones"):
        export(ExportArgs(model=str(resnet), format="torch", network="pose", out=str(out)))
    assert out.is_file() and out.with_name("model.pt2.json").is_file()
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"wrote torch fp32 to {out}"
    for words in ("first, second to T_second_first", "32 pairs of frames of rendered frames", "rotation", "ours"):
        assert any(words in line for line in rest), words
