"""`selfdepth push`: a model goes to the hub and comes back, without anything of this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import selfdepth
from helpers.hub import Hub
from selfdepth.cli.main import main
from selfdepth.errors import SelfDepthWarning
from selfdepth.files import checksum
from selfdepth.weights.locate import find_weights

TO = "alice/street"


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Path:
    """A run folder with the record of a validation against ground truth."""
    folder = tmp_path / "secret" / "drive"
    shutil.copytree(model, folder / "best")
    line = {"kind": "val", "step": 7, "abs_rel": 0.145, "rmse": 4.4, "abs_rel_of_constant": 0.4}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    (folder / "store").mkdir()
    (folder / "store" / "index.json").write_text('{"protocol": "eigen", "kind": "kitti-raw"}')
    return folder


def push(*words: object) -> int:
    return main(["push", *map(str, words)])


def test_a_model_goes_to_the_hub_and_comes_back_bit_for_bit(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(run, TO, "--licence", "apache-2.0", "--message", "Street, 36 minutes", "--private") == 0
    repository = hub.repositories[TO]
    commit = repository.branches["main"]
    assert (repository.private, repository.messages[-1]) == (True, "Street, 36 minutes")
    said = capsys.readouterr().out
    assert f"{hub.url}/{TO}, commit {commit}" in said
    assert f'selfdepth.load("{TO}", revision="{commit}")' in said
    assert hub.files(TO).keys() == {"README.md", "config.json", "model.safetensors"}
    folder = find_weights(f"{TO}@{commit}")
    assert checksum(folder / "model.safetensors") == checksum(run / "best" / "model.safetensors")
    image = torch.randint(0, 255, (64, 96, 3), dtype=torch.uint8).numpy()
    there, here = selfdepth.load(TO, revision=commit), selfdepth.load(run)
    assert (there.predict(image).depth == here.predict(image).depth).all()
    assert (there.camera, there.scale) == (here.camera, here.scale)


def test_a_dry_run_writes_what_would_be_uploaded_and_asks_nobody(hub: Hub, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "upload"
    assert push(run, TO, "--licence", "mit", "--dry-run", out) == 0
    assert hub.asked == []
    assert push(run, TO, "--licence", "mit") == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == hub.files(TO)
    for path in out.iterdir():
        assert b"secret" not in path.read_bytes()
    card = (out / "README.md").read_text()
    assert "step 7; protocol: eigen, ground truth from 0.001 to 80 m, cropped, each image at its true median" in card
    assert "| trained on | street.mp4 |" in card
    assert not list(tmp_path.glob(".upload*"))


def test_a_model_pushed_on_keeps_its_licence(hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(run, TO, "--licence", "cc-by-nc-4.0") == 0
    assert push(TO, "alice/copy") == 0
    assert 'license: "cc-by-nc-4.0"' in hub.files("alice/copy")["README.md"].decode()
    assert hub.files("alice/copy")["model.safetensors"] == hub.files(TO)["model.safetensors"]
    assert push(TO, "alice/free", "--licence", "mit") == 2
    assert "non-commercial use only, and its licence goes with it" in capsys.readouterr().err
    assert "alice/free" not in hub.repositories


def test_errors_of_evaluate_depth_go_on_the_card_with_their_protocol(hub: Hub, run: Path, tmp_path: Path) -> None:
    protocol = {"name": "eigen", "min_truth": 0.001, "max_truth": 80.0, "crop": [0, 1, 0, 1]}
    values = {"abs_rel": 0.1152, "images": [{}] * 697, "frames": "test frames", "protocol": protocol}
    values |= {"scaling": "image", "data": "/home/alice/kitti", "split": "eigen"}
    (tmp_path / "depth.json").write_text(json.dumps(values))
    assert push(run, TO, "--licence", "mit", "--errors", tmp_path / "depth.json") == 0
    card = hub.files(TO)["README.md"].decode()
    expected = (
        "697 of the test frames, data kitti, split eigen; protocol: eigen, ground truth from 0.001 to 80 m, cropped,"
    )
    assert f"0.115 |\n\n{expected} each image at its true median." in card


def test_a_model_without_a_licence_is_pushed_with_a_warning(hub: Hub, run: Path, tmp_path: Path) -> None:
    from selfdepth.cli.push import PushArgs
    from selfdepth.cli.push import push as verb

    with pytest.warns(SelfDepthWarning, match="no licence is given"):
        verb(PushArgs(model=str(run), name=TO, dry_run=str(tmp_path / "out")))
    assert "license" not in (tmp_path / "out" / "README.md").read_text().split("---")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{run}", "street"], "no name of a model on the Hugging Face hub: street; expected OWNER/NAME"),
        (["{run}", "alice/street@dev"], "give a branch with --revision"),
        (["{run}", TO, "--revision", "../x"], "no revision of a hub's model: --revision"),
        (["{run}", TO, "--revision", "a" * 40], "a commit cannot be written to"),
        (["{run}", TO, "--message", " "], "a commit needs a message"),
        (["{run}", TO, "--licence", "a: b"], "no name of a licence"),
        (["{run}/nothing", TO], "there is no such model"),
        (["{run}", TO, "--errors", "{run}/best/config.json"], "no errors of depth in the file"),
        (["{run}", TO, "--dry-run", "{run}"], "the folder is not empty"),
        (["{run}", TO, "--dry-run", "{run}/metrics.jsonl"], "the output folder is a file"),
    ],
)
def test_what_cannot_be_pushed_is_one_sentence_before_the_hub_is_asked(
    hub: Hub, run: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path for path in run.rglob("*"))
    assert push(*(word.format(run=run) for word in words)) == 2
    assert sentence in capsys.readouterr().err
    assert hub.asked == []
    assert sorted(path for path in run.rglob("*")) == before
