"""What the documents say is true: commands parse, the snippet runs, links lead somewhere, named tests exist."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from functools import cache
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
from selfdepth.config.learned_camera import start_of
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.store.store import training_size
from selfdepth.networks.depth import DepthNet
from selfdepth.presets import PRESETS
from selfdepth.weights.files import WeightsMeta, save_weights

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
README_LINES = 140
MUST_SAY = (
    "Apache License 2.0",
    "US patent 11,991,342",
    "non-commercial",
    "independent implementation",
    "benchmarks/results/README.md",
    "@inproceedings{",
)


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def prose_of(path: Path) -> str:
    """Everything but the blocks of code."""
    return re.sub(r"^```.*?^```", "", text_of(path), flags=re.MULTILINE | re.DOTALL)


README = text_of(PAGES[0])
ALL_PAGES = "\n".join(map(text_of, PAGES))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def spans(path: Path) -> list[str]:
    """Code within sentences."""
    return re.findall(r"`([^`\n]+)`", prose_of(path))


def links(path: Path) -> list[tuple[str, str]]:
    """File and anchor of the links to this repository; without a file, the link stays on its page."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(path))
    local = [target for target in targets if not target.startswith(("https://", "http://"))]
    return [(file, anchor) for file, _, anchor in (target.partition("#") for target in local)]


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> dict[str, str]:
    """Every command line of ours and the page it is on, in blocks and in sentences; not a verb without arguments."""
    found: dict[str, str] = {}
    for path in DOCUMENTS:
        lines = [line for block in blocks(text_of(path), "bash") for line in block.replace("\\\n", " ").splitlines()]
        for line in (*lines, *spans(path)):
            command = shlex.join(shlex.split(line, comments=True)) if line.startswith("selfdepth ") else ""
            if command and command.removeprefix("selfdepth ") not in VERBS:
                found.setdefault(command, name_of(path))
    return found


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; keep that from the other tests."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader would be: a folder with a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/drive").mkdir(parents=True)
    (tmp_path / "runs/drive/config.json").write_text(json.dumps(to_json(PRESETS["mono-640x192"])))
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments that verbs are called with; no verb does anything else."""
    received: list[Any] = []
    for verb in VERBS:
        module = importlib.import_module(f"selfdepth.cli.{verb.replace(' ', '_')}")
        monkeypatch.setattr(module, verb.replace(" ", "_"), received.append)
    return received


def complaint(command: str, parsed: list[Any], capsys: pytest.CaptureFixture[str]) -> str:
    """Why a command line is refused, or "" if it is understood."""
    words = shlex.split(command)[1:]
    parsed.clear()
    code = main(words)
    said = " ".join(capsys.readouterr().err.split())
    if code != 0:
        return said or f"exit code {code}"
    return "" if parsed or "--help" in words else "no verb was called"


def test_every_command_in_the_documents_is_understood(
    place: Path, parsed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = commands()
    assert len(found) > 100
    refused = [
        f"{page}: {command}\n    {why}"
        for command, page in found.items()
        if (why := complaint(command, parsed, capsys))
    ]
    assert not refused, "\n".join(("not understood:", *refused))


def test_every_camera_in_a_command_is_one(place: Path, parsed: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    cameras: set[str] = set()
    for command in (command for command in commands() if "--camera" in command):
        complaint(command, parsed, capsys)
        cameras |= {start_of(getattr(getattr(args, "train", args), "camera", None)) for args in parsed} - {None}
    numbers = set(re.findall(r"--camera ([\d.]+,[\d.]+,[\d.]+,[\d.]+)", ALL_PAGES))
    assert "fov:70" in cameras
    assert numbers
    for camera in cameras | numbers:
        if not camera.endswith(".yaml"):
            assert parse_camera(camera, width=1242, height=375).principal_point_inside, camera


def test_the_pages_name_every_verb_and_every_preset() -> None:
    ours = [name for name in PRESETS if not name.startswith("paper-")]  # the others are in docs/reproduce.md
    missing = [name for name in (*(f"selfdepth {verb}" for verb in VERBS), *ours) if name not in ALL_PAGES]
    assert missing == ["selfdepth demo"]  # there it is `make demo`


def test_every_option_that_is_named_exists(capsys: pytest.CaptureFixture[str]) -> None:
    # A switch is shown as what would change it: --no-motion-first only where a preset has it on.
    for verb in (*VERBS, "train mono-640x192"):
        assert main([*verb.split(), "--help"]) == 0
    known = set(re.findall(r"--[a-z][\w.-]*", capsys.readouterr().out)) | {"--help"}
    unknown = [
        f"{name_of(path)}: {option}"
        for path in DOCUMENTS
        for span in spans(path)
        for option in re.findall(r"--[a-z][\w.-]*", span)
        if option not in known
    ]
    assert not unknown, "\n".join(("no verb has these options:", *unknown))


def test_the_readme_is_short_and_says_what_it_must() -> None:
    assert len(README.splitlines()) <= README_LINES
    assert [words for words in MUST_SAY if words not in README] == []


def test_every_page_can_be_found_from_the_readme() -> None:
    linked = {file for file, _ in links(PAGES[0])}
    assert [name_of(page) for page in PAGES[1:] if name_of(page) not in linked] == []


def test_the_height_follows_the_aspect_as_the_pages_say() -> None:
    assert "a 16:9 video trained with `mono-640x192` becomes 640x352" in " ".join(ALL_PAGES.split())
    assert training_size(1920, 1080, 640, None) == (640, 352)


def test_the_python_snippet_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig(width=96, height=64, encoder=EncoderConfig(name="test_resnet", pretrained=False))
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("test_resnet").state_dict().items()}
    save_weights(place / "runs/drive/best", state, WeightsMeta(config=config, camera=None, scale="relative"))
    Image.fromarray(np.full((48, 80, 3), 99, np.uint8)).save(place / "street.jpg")
    (snippet,) = blocks(ALL_PAGES, "python")
    with torch.random.fork_rng():
        exec(compile(ast.parse(snippet), "README.md", "exec"), {})
    assert capsys.readouterr().out == "(48, 80) relative None\n"


def test_links_lead_to_files_and_headings_of_this_repository() -> None:
    broken = []
    for path in DOCUMENTS:
        for file, anchor in links(path):
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{name_of(path)}: {file}{'#' if anchor else ''}{anchor}")
    assert not broken, "\n".join(("these links lead nowhere:", *broken))


def test_files_and_tests_that_are_named_exist() -> None:
    missing = []
    for path in DOCUMENTS:
        for span in spans(path):
            file, _, name = span.partition("::")
            if not re.match(r"(src|tests|docs|examples)/", file):
                continue
            there = (ROOT / file).exists()
            if not there or (name and f"\ndef {name}(" not in text_of(ROOT / file)):
                missing.append(f"{name_of(path)}: {span}")
    assert not missing, "\n".join(("these are not there:", *missing))


def test_every_statement_of_the_conventions_names_its_test() -> None:
    sections = text_of(ROOT / "docs/conventions.md").split("## Letters in shapes")[0]
    statements = re.split(r"^- ", sections, flags=re.MULTILINE)[1:]
    assert len(statements) > 20
    assert [statement for statement in statements if "::test_" not in statement] == []


def test_the_floors_of_the_architecture_are_the_ones_that_are_enforced() -> None:
    tree = ast.parse(text_of(ROOT / "tests/test_architecture.py"))
    (floors,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    )
    drawn = blocks(text_of(ROOT / "docs/architecture.md"), "text")[0].splitlines()
    rooms = [sorted(re.split(r"\s{2,}", line)[0].split(", ")) for line in reversed(drawn)]
    assert rooms == [sorted(floor) for floor in floors]


def test_every_picture_says_what_it_shows() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(", ALL_PAGES)
    assert len(pictures) > 3
    assert [alternative for alternative in pictures if len(alternative.split()) < 5] == []


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert str(citation["version"]) == __version__
    assert citation["license"] == "Apache-2.0"
    assert f"\n## {__version__}" in text_of(ROOT / "CHANGELOG.md")
