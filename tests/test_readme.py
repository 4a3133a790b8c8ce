"""What the documents say is true: commands parse, the snippet runs, links lead somewhere, named tests exist."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from selfdepth import __version__
from selfdepth.cli import main as main_module
from selfdepth.cli.main import VERBS, main
from selfdepth.config import EncoderConfig, TrainConfig, to_json
from selfdepth.data.sources.cameras import parse_camera
from selfdepth.data.store.store import training_size
from selfdepth.networks.depth import DepthNet
from selfdepth.presets import PRESETS
from selfdepth.weights.files import WeightsMeta, save_weights

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
README = DOCUMENTS[0].read_text(encoding="utf-8")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """Code within sentences."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def commands() -> Iterator[str]:
    """Every command line of ours, in blocks and in sentences; a verb named without its arguments is none."""
    found: dict[str, None] = {}
    for path in DOCUMENTS:
        text = text_of(path)
        lines = [line for block in blocks(text, "bash") for line in block.replace("\\\n", " ").splitlines()]
        for line in (*lines, *spans(text)):
            command = " ".join(shlex.split(line, comments=True)) if line.startswith("selfdepth ") else ""
            if command and command.removeprefix("selfdepth ") not in VERBS:
                found[command] = None
    yield from found


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; the other tests shall not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader would be: a folder with a run, an image and a video."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/drive").mkdir(parents=True)
    (tmp_path / "runs/drive/config.json").write_text(json.dumps(to_json(PRESETS["mono-640x192"])))
    return tmp_path


@pytest.mark.parametrize("command", list(commands()))
def test_a_command_in_the_documents_is_understood(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []
    words = shlex.split(command)[1:]
    verb = next((verb for verb in VERBS if words[: len(verb.split())] == verb.split()), None)
    if verb is not None:
        module = importlib.import_module(f"selfdepth.cli.{verb.replace(' ', '_')}")
        monkeypatch.setattr(module, verb.replace(" ", "_"), seen.append)
    assert main(words) == 0, capsys.readouterr().err
    assert seen or "--help" in words
    for args in seen:
        config = getattr(args, "train", args)
        camera = getattr(config, "camera", None)
        if camera is not None and not camera.endswith(".yaml"):
            parse_camera(camera, width=1242, height=375)


def test_every_verb_and_every_preset_is_in_the_readme() -> None:
    ours = [name for name in PRESETS if not name.startswith("paper-")]  # the others are in docs/reproduce.md
    assert [name for name in (*(f"selfdepth {verb}" for verb in VERBS), *ours) if name not in README] == [
        "selfdepth demo"  # there it is `make demo`
    ]


def test_every_option_that_is_named_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        assert main([*verb.split(), "--help"]) == 0
    known = set(re.findall(r"--[a-z][\w.-]*", capsys.readouterr().out)) | {"--help"}
    named = {
        option for path in DOCUMENTS for span in spans(text_of(path)) for option in re.findall(r"--[a-z][\w.-]*", span)
    }
    assert named - known == set()


def test_the_height_follows_the_aspect_as_the_readme_says() -> None:
    assert "a 16:9 video trained with `mono-640x192` becomes 640x352" in " ".join(README.split())
    assert training_size(1920, 1080, 640, None) == (640, 352)


def test_the_camera_in_the_readme_is_one() -> None:
    (numbers,) = re.findall(r"--camera ([\d.]+,[\d.]+,[\d.]+,[\d.]+)", README)
    assert parse_camera(numbers, width=1242, height=375).principal_point_inside


def test_the_python_snippet_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig(width=96, height=64, encoder=EncoderConfig(name="test_resnet", pretrained=False))
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("test_resnet").state_dict().items()}
    save_weights(place / "runs/drive/best", state, WeightsMeta(config=config, camera=None, scale="relative"))
    Image.fromarray(np.full((48, 80, 3), 99, np.uint8)).save(place / "street.jpg")
    (snippet,) = blocks(README, "python")
    with torch.random.fork_rng():
        exec(compile(ast.parse(snippet), "README.md", "exec"), {})
    assert capsys.readouterr().out == "(48, 80) relative None\n"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_of_this_repository_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not target.startswith(("https://", "http://"))]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_tests_that_are_named_exist(path: Path) -> None:
    for span in spans(text_of(path)):
        file, _, name = span.partition("::")
        if re.match(r"(src|tests|docs|examples)/", file):
            assert (ROOT / file).exists(), span
            if name:
                assert f"\ndef {name}(" in text_of(ROOT / file), span


def test_every_statement_of_the_conventions_names_its_test() -> None:
    sections = text_of(ROOT / "docs/conventions.md").split("## Letters in shapes")[0]
    statements = re.split(r"^- ", sections, flags=re.MULTILINE)[1:]
    assert len(statements) > 20
    assert [statement for statement in statements if "::test_" not in statement] == []


def test_every_picture_says_what_it_shows() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(", README)
    assert pictures
    assert all(len(alternative.split()) >= 5 for alternative in pictures)


@pytest.mark.parametrize(
    "words",
    [
        "Apache License 2.0",
        "US patent 11,991,342",
        "non-commercial",
        "independent implementation",
        "benchmarks/results/README.md",
        "@inproceedings{",
    ],
)
def test_the_readme_says_what_it_must(words: str) -> None:
    assert words in README


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert str(citation["version"]) == __version__
    assert citation["license"] == "Apache-2.0"
    assert f"\n## {__version__}" in text_of(ROOT / "CHANGELOG.md")
