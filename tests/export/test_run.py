"""Export as a whole: kept if it agrees with the original, and nothing is left if it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selfdepth.errors import CheckpointError, ConfigError, OutputError, SelfDepthWarning
from selfdepth.export import targets
from selfdepth.export.graphs import Network
from selfdepth.export.run import ExportOptions, export_model
from selfdepth.weights.files import LoadedWeights


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A format whose file is a few bytes, and whose runtime is torch; `error` is added to its output."""
    behaviour: dict[str, Any] = {"error": 0.0}

    def write(network: Network, path: Path, samples: Sequence[np.ndarray] | None) -> None:
        behaviour.update(network=network, samples=samples)
        if behaviour.get("raises"):
            raise behaviour["raises"]
        path.write_bytes(b"graph")
        path.with_name(f"{path.name}.json").write_text("about", encoding="utf-8")

    def run(inputs: Sequence[np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            output: np.ndarray = behaviour["network"].module(*map(torch.from_numpy, inputs)).numpy()
        return output * (1 + behaviour["error"])

    fake = replace(
        targets.TARGETS["torch"], write=write, open=lambda path: run, precisions=("fp32", "fp16", "int8"), halves=False
    )
    monkeypatch.setitem(targets.TARGETS, "torch", fake)
    return behaviour


def options(out: Path, **changes: Any) -> ExportOptions:
    return ExportOptions(**{"format": "torch", "precision": "fp32", "kind": "depth", "out": out, **changes})


def test_an_export_that_agrees_is_kept_with_its_numbers(
    stand_in: dict[str, Any], calibrated: LoadedWeights, tmp_path: Path
) -> None:
    report = export_model(calibrated, options(tmp_path / "new" / "m.pt2"))
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"m.pt2", "m.pt2.json"}
    assert report.n_bytes == len("graph") + len("about")
    assert report.parity.differences["disparity"].largest < 1e-6
    assert report.frames == f"6 frames of {calibrated.config.data}"
    depth = sum(each.numel() * each.element_size() for name, each in calibrated.state.items() if "depth_net" in name)
    assert report.n_bytes_ours == depth
    assert report.to_json()["ms"] > 0


@pytest.mark.parametrize("error", [0.02, float("nan")])
def test_an_export_that_differs_leaves_nothing_and_an_older_one_as_it_was(
    stand_in: dict[str, Any], calibrated: LoadedWeights, tmp_path: Path, error: float
) -> None:
    stand_in["error"] = error
    with pytest.raises(OutputError, match=r"differs too much.*nothing was written.*difference of disparity of"):
        export_model(calibrated, options(tmp_path / "m.pt2"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "m.pt2").write_bytes(b"older")
    with pytest.raises(OutputError):
        export_model(calibrated, options(tmp_path / "m.pt2"))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"older"]


def test_what_fp32_may_not_differ_by_int8_may(
    stand_in: dict[str, Any], calibrated: LoadedWeights, street: Path, tmp_path: Path
) -> None:
    stand_in["error"] = 0.02
    report = export_model(calibrated, options(tmp_path / "m.pt2", precision="int8", calibrate=street))
    assert report.about.precision == "int8"
    assert len(stand_in["samples"]) == 3 and report.parity.n_samples == 3  # of six frames


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": "int8"}, "int8 needs frames from which its ranges are measured.*--calibrate DATA"),
        ({"licence": " "}, "the licence is not a name or an address.*1 to 500 characters; got 0"),
        ({"licence": "x" * 501}, "the licence is not a name.*got 501"),
        ({"calibrate": Path("x")}, "fp32 has nothing to calibrate"),
        ({"precision": "int8", "kind": "pose", "calibrate": Path("x")}, "the pose network is not written in int8"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    stand_in: dict[str, Any], calibrated: LoadedWeights, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        export_model(calibrated, options(tmp_path / "m.pt2", **changes))


@pytest.mark.parametrize(("data", "why"), [("", "are not known"), ("/no/such/place", "cannot be read")])
def test_rendered_frames_stand_in_for_lost_ones_and_it_is_said(
    stand_in: dict[str, Any], calibrated: LoadedWeights, tmp_path: Path, data: str, why: str
) -> None:
    weights = replace(calibrated, config=replace(calibrated.config, data=data))
    with pytest.warns(SelfDepthWarning, match=rf"learned from {why}.*rendered ones.*--frames DATA"):
        report = export_model(weights, options(tmp_path / "m.pt2", kind="pose"))
    assert report.frames == "32 pairs of frames of rendered frames"


def test_what_an_exporter_raises_becomes_one_sentence(
    stand_in: dict[str, Any], calibrated: LoadedWeights, tmp_path: Path
) -> None:
    stand_in["raises"] = RuntimeError("no such operator\nsecond line")
    with pytest.raises(CheckpointError, match=r"cannot be written as torch fp32.*RuntimeError: no such operator; try"):
        export_model(calibrated, options(tmp_path / "m.pt2"))
    assert list(tmp_path.iterdir()) == []
