"""Models that earlier versions have written are read, and give the depth that they gave: docs/stability.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.earlier import LEARNED, METAS, depth_of, loss_of, write_earlier
from selfdepth.config import from_json, to_json
from selfdepth.weights.files import load_weights

GOLDEN = Path(__file__).parent / "golden"
RECORDS = {f"{path.parent.name}/{path.stem}": path for path in sorted(GOLDEN.glob("written-by-*/*.json"))}


@pytest.fixture
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(RECORDS[request.param].read_text())
    return made


def test_every_kind_of_model_is_there() -> None:
    assert {Path(name).stem for name in RECORDS} == set(METAS)


def within(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Of the second configuration, what the first one has too."""
    kept = {name: more[name] for name in values}
    return {
        name: within(value, kept[name]) if isinstance(value, dict) else kept[name] for name, value in values.items()
    }


@pytest.mark.parametrize("record", RECORDS, indirect=True)
def test_a_model_has_the_configuration_and_the_depth_that_it_had(record: dict[str, Any], tmp_path: Path) -> None:
    folder = write_earlier(tmp_path, record)
    config = record["config"]["train"]
    assert within(config, to_json(load_weights(folder).config)) == config
    np.testing.assert_allclose(depth_of(folder), record["depth"], rtol=2e-4)


@pytest.mark.parametrize("record", [name for name in RECORDS if name.endswith(LEARNED)], indirect=True)
def test_a_configuration_has_the_objective_that_it_had(record: dict[str, Any]) -> None:
    config = from_json(record["config"]["train"], where="config.json")
    assert loss_of(config, record["shapes"]) == pytest.approx(record["loss"], rel=1e-4)


@pytest.mark.parametrize("record", ["written-by-0.1.0/mono"], indirect=True)
def test_options_that_a_configuration_lacks_are_as_before_they_were_there(record: dict[str, Any]) -> None:
    """The first configurations had these options alone, and `every` was never null."""
    config = record["config"]["train"]
    first = {name: config[name] for name in ("data", "camera", "width", "height", "offsets", "batch_size", "seed")}
    first |= {"every": "1", "keep": 1, "encoder": {"name": "resnet18", "pretrained": True}, "loss": {"near": 0.1}}
    read = to_json(from_json(first, where="config.json"))
    off = {
        "": ("speed", "camera_height", "motion_first", "init", "self_teacher", "anchor", "freeze_batch_norm"),
        "loss": ("predictive_mask", "align_motion", "consistency", "start_depth"),
        "augment": ("weather",),
        "teacher": ("path",),
    }
    assert not any((read[part] if part else read)[name] for part, names in off.items() for name in names)
    assert (read["stereo"], read["method"], read["augment"]["zoom"]) == ("none", "monodepth2", 1.0)
    assert (read["encoder"]["pose_network"], read["encoder"]["pose_input"]) == ("separate", "pairs")
