"""The program that measures encoders, and the page that is written from what it measured."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import encoders
from selfdepth.networks.encoder import ImageEncoder
from selfdepth.presets import PRESETS

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
SPEED = {
    "parameters_m": 5.0,
    "pose_encoder": "p",
    "clips_per_s": {"median": 4.0, "low": 3.0, "high": 5.0},
    "predict_ms": {"median": 9.0, "low": 8.0, "high": 12.0},
    "peak_mb": 900.0,
    "imported_mb": 400.0,
    "precision": "float32",
}


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_encoders", DOCS / "write_encoders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def measured() -> dict[str, Any]:
    """Numbers made up for the tests of the page, in the form in which the program writes them."""
    document: dict[str, Any] = json.loads((HERE / "encoders.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is measured; nothing really is."""
    made: list[tuple[Any, ...]] = []

    def speed(setting: Any, folder: Path) -> dict[str, Any]:
        made.append(("speed", setting.encoder))
        return dict(SPEED)

    def depth(name: str, start: str, seed: int, task: Any, folder: Path) -> dict[str, float]:
        made.append(("depth", name, start, seed))
        return {"abs_rel": 0.3, "steps": 10}

    task = encoders.Task(config=encoders.TrainConfig(), footage=None, constant_abs_rel=0.5, held_out=7)
    monkeypatch.setattr(encoders, "measure_speed", speed)
    monkeypatch.setattr(encoders, "measure_depth", depth)
    monkeypatch.setattr(encoders, "_task", lambda args, folder: task)
    return made


def test_all_ten_encoders_fit_the_decoder_and_are_of_the_stated_sizes() -> None:
    assert len(set(encoders.ENCODERS)) == 10
    for name in encoders.ENCODERS:
        with torch.device("meta"):
            parameters = sum(p.numel() for p in ImageEncoder(name).parameters()) / 1e6
        assert 0.9 < parameters < 30, name


def test_only_installed_weights_are_a_second_start() -> None:
    assert encoders.starts("tf_efficientnet_lite0") == ("scratch", "imagenet")
    assert encoders.starts("resnet18") == ("scratch",)
    assert set(encoders.INSTALLED) <= set(encoders.ENCODERS)


def test_what_is_measured_is_not_measured_again(tmp_path: Path, calls: list[tuple[Any, ...]]) -> None:
    words = ["--json", str(tmp_path / "e.json"), "--minutes", "1", "--only"]
    encoders.main([*words, "resnet18"])
    assert calls == [("speed", "resnet18"), ("depth", "resnet18", "scratch", 0)]
    calls.clear()
    document = encoders.main([*words, "resnet18", "tf_efficientnet_lite0"])
    assert calls == [("speed", encoders.LITE0), *(("depth", encoders.LITE0, s, 0) for s in ("scratch", "imagenet"))]
    assert json.loads((tmp_path / "e.json").read_text()) == document
    assert (document["constant_abs_rel"], document["held_out"]) == (0.5, 7)


def test_a_stop_in_between_loses_nothing_that_was_measured(
    tmp_path: Path, calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--json", str(tmp_path / "e.json"), "--seeds", "0", "1", "--only", "resnet18"]
    whole = encoders.measure_depth

    def stops(name: str, start: str, seed: int, *rest: Any) -> dict[str, float]:
        if seed == 1:
            raise KeyboardInterrupt
        return whole(name, start, seed, *rest)

    monkeypatch.setattr(encoders, "measure_depth", stops)
    with pytest.raises(KeyboardInterrupt):
        encoders.main(words)
    monkeypatch.setattr(encoders, "measure_depth", whole)
    calls.clear()
    encoders.main(words)
    assert calls == [("depth", "resnet18", "scratch", 1)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--minutes", "2", "--only", "resnet18"], "minutes 1.0, now 2.0"),
        (["--minutes", "1", "--seeds", "3", "--only", "resnet18"], "seeds [0], now [3]"),
        (["--minutes", "1", "--only", "convnext_atto"], "levels at 1/4"),
        (["--minutes", "1", "--only", "resnet19"], "resnet18"),
    ],
)
def test_other_settings_and_unsuitable_encoders_are_refused(
    tmp_path: Path, calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    file = tmp_path / "e.json"
    encoders.main(["--json", str(file), "--minutes", "1", "--only", "resnet18"])
    before = file.read_bytes()
    with pytest.raises(SystemExit) as stop:
        encoders.main(["--json", str(file), *words])
    assert stop.value.code == 2
    assert told in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.slow
def test_an_encoder_is_measured_from_start_to_end(tmp_path: Path, page: ModuleType) -> None:
    words = ["--quick", "--minutes", "0.02", "--width", "64", "--height", "64", "--batch-size", "2"]
    document = encoders.main([*words, "--only", "test_resnet", "--json", str(tmp_path / "e.json")])
    entry = document["encoders"]["test_resnet"]
    assert entry["parameters_m"] < 3 and entry["peak_mb"] > entry["imported_mb"] > 0
    assert entry["clips_per_s"]["median"] > 0 and entry["predict_ms"]["median"] > 0
    assert entry["depth"]["scratch"]["0"]["steps"] >= 1 and entry["depth"]["scratch"]["0"]["abs_rel"] > 0
    assert document["held_out"] == 10 and "`test_resnet`" in page.text(document)


@pytest.mark.slow
def test_data_without_ground_truth_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "measure_speed", lambda setting, folder: dict(SPEED))
    images = tmp_path / "images"
    encoders.write_street(images, encoders.Setting(image_width=96, image_height=64, n_frames=24))
    words = ["--data", str(images), "--width", "64", "--only", "test_resnet", "--json", str(tmp_path / "e.json")]
    with pytest.raises(SystemExit) as stop:
        encoders.main(words)
    assert stop.value.code == 2
    assert "held-out frames with ground truth" in capsys.readouterr().err


def test_the_page_names_three_choices_and_has_a_row_for_each_finished_encoder(
    page: ModuleType, measured: dict[str, Any]
) -> None:
    assert page.choices(measured) == {"fastest": "quick", "smallest": "middle", "best": "good"}
    written = page.text(measured)
    rows = [line for line in written.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["asleep", "quick", "middle", "good", "slow"]
    assert "unfinished" not in written
    assert (
        "| `quick` | 2.5 | 12.0 (11.0–13.0) | 6.0 (5.8–6.6) | 800 | 400, 380 | 0.300 ± 0.014 | 0.250 ± 0.014 |" in rows
    )
    assert "- **fastest**: `quick`, 6.0 ms, abs_rel 0.250" in written
    assert "\npython benchmarks/encoders.py --minutes 10 --seeds 0 1\n" in written
    measured["settings"] |= {"data": "kitti_raw", "split": "mini", "batch_size": 4}
    repeated = "--seeds 0 1 --batch-size 4 --data kitti_raw --split mini\n"
    assert repeated in page.text(measured)


def test_an_encoder_that_learned_nothing_is_no_choice(page: ModuleType, measured: dict[str, Any]) -> None:
    assert min(measured["encoders"], key=lambda n: measured["encoders"][n]["predict_ms"]["median"]) == "asleep"
    measured["constant_abs_rel"] = 0.22  # now only `good` beats it
    assert page.choices(measured) == {"fastest": "good"}
    assert "- **smallest**: none" in page.text(measured)
    measured["constant_abs_rel"] = 0.1
    assert page.choices(measured) == {}


def test_the_page_is_what_would_be_written_now(page: ModuleType) -> None:
    # Both or neither: the page comes from a measurement, and a measurement has its page.
    assert page.FILE.is_file() == page.MEASURED.is_file()
    if page.FILE.is_file():
        document = json.loads(page.MEASURED.read_text(encoding="utf-8"))
        assert page.FILE.read_text(encoding="utf-8") == page.text(document), "run docs/write_encoders.py"
        assert not document["settings"]["quick"], "a trial is no measurement"


def test_the_light_presets_have_the_encoders_that_were_chosen_by_measurement(page: ModuleType) -> None:
    document = json.loads((DOCS.parent / "benchmarks/results/encoders.json").read_text(encoding="utf-8"))
    assert {name: PRESETS[preset].encoder.name for name, preset in page.PRESET_OF.items()} == page.choices(document)
