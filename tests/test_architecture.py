"""The shape of the house: imports point down, files and functions stay short, and help does not wait for torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import selfdepth

SOURCE = Path(selfdepth.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = {".".join(path.parent.relative_to(SOURCE).parts) for path in FILES} - {""}

FLOORS = (
    (
        "archives",
        "errors",
        "checks",
        "limits",
        "config",
        "download",
        "files",
        "locks",
        "places",
        "presets",
        "streams",
        "texts",
        "geometry.crop",
        "geometry.depth_range",
    ),
    ("device", "geometry", "html_page", "structs"),
    ("bundle", "networks", "losses", "synthetic"),
    ("data.frames", "data.runs"),
    ("data.truth",),
    ("data.footage", "data.hold_out", "data.motion", "data.readers", "data.scan"),
    ("data.kitti", "data.store"),
    ("data.sources",),
    ("data.clips", "data.fetch", "data.inspect", "teachers"),
    ("learners",),
    ("weights",),
    ("inference",),
    ("evaluation.depth", "evaluation.odometry"),
    ("comparison", "export", "live", "scale"),
    ("engine", "paper"),
    ("app", "demo"),
    ("cli", "__main__"),
)
"""The rooms of the house, the lowest floor first. A room is a module or a package; it imports from floors below and
from its own floor. Plain values of geometry lie at the bottom, because the configuration gives them."""
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

STRANGERS = [
    ("learners", "data"),
    ("data", "learners"),
    ("data", "networks"),
    ("synthetic", "data"),
    ("inference", "engine"),
    ("inference", "data.store"),
    ("inference", "data.clips"),
    ("inference", "data.kitti"),
    ("evaluation.depth.metrics", "data"),
    ("evaluation.odometry.metrics", "data"),
    ("evaluation.odometry.drift", "data"),
]
"""Rooms that must not know each other, beyond what the floors forbid."""

WITHOUT_TORCH = [
    "errors",
    "checks",
    *("config.augment", "config.encoder", "config.loss", "config.teacher", "config.train", "config.values"),
    "presets",
    "geometry.crop",
    "geometry.depth_range",
    "paper.figures",
    "paper.tables",
    "paper.tables_v1",
    "geometry.rigid",
    "evaluation.depth.metrics",
    "evaluation.depth.sparsification",
    "evaluation.odometry.metrics",
    "evaluation.odometry.drift",
    "cli.main",
]


NO_MODULES = ("benchmarks", "faults", "fuzz", "golden", "helpers")
"""Folders of tests that are of no package: of the programs that measure, of kills and power cuts, of files at random,
reference values, and what tests share."""


@dataclass(frozen=True, kw_only=True)
class Import:
    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}, imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file, those within functions too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: imports are absolute"
            names = [node.module or ""]
            if node.module in ("selfdepth", *(f"selfdepth.{name}" for name in PACKAGES)):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(importer=module_name(path), imported=name, line=node.lineno)


def is_in(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def room(module: str) -> str:
    """The room that a module belongs to: the longest name in ROOMS that it is in."""
    return max((name for name in ROOMS if is_in(module, name)), key=len)


@cache
def own_imports() -> tuple[Import, ...]:
    """Imports of one part of the package by another; the package's own front door is no part."""
    found = []
    for path in FILES:
        if path == SOURCE / "__init__.py":
            continue
        for each in imports_of(path):
            inside = each.imported.removeprefix("selfdepth.")
            if inside != each.imported and not inside.startswith("__"):
                found.append(Import(importer=each.importer, imported=inside, line=each.line))
    return tuple(found)


def assert_no_circle(edges: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for target in sorted(edges[module]):
                visit(target, (*trail, module))
            done.add(module)

    for module in sorted(edges):
        visit(module, ())


def test_every_module_has_a_room() -> None:
    homeless = [module_name(path) for path in FILES if path.read_text(encoding="utf-8")]
    assert [name for name in homeless if name and not any(is_in(name, known) for known in ROOMS)] == []


def test_imports_point_down() -> None:
    upwards = [str(each) for each in own_imports() if ROOMS[room(each.imported)] > ROOMS[room(each.importer)]]
    assert upwards == []


def test_rooms_do_not_import_each_other_in_a_circle() -> None:
    edges: dict[str, set[str]] = {name: set() for name in ROOMS}
    for each in own_imports():
        edges[room(each.importer)].add(room(each.imported))
    for name, targets in edges.items():
        targets.discard(name)
    assert_no_circle(edges)


@pytest.mark.parametrize(("importer", "imported"), STRANGERS)
def test_parts_that_must_not_know_each_other_do_not(importer: str, imported: str) -> None:
    known = [str(each) for each in own_imports() if is_in(each.importer, importer) and is_in(each.imported, imported)]
    assert known == []


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    edges: dict[str, set[str]] = {module_name(path): set() for path in FILES}
    for each in own_imports():
        target = each.imported if each.imported in edges else each.imported.rsplit(".", 1)[0]
        if target in edges:
            edges[each.importer].add(target)
    assert_no_circle(edges)


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_what_must_be_light_imports_no_torch(module: str) -> None:
    path = SOURCE.joinpath(*module.split(".")).with_suffix(".py")
    heavy = [str(each) for each in imports_of(path) if each.imported.split(".")[0] in ("torch", "torchvision", "timm")]
    assert heavy == []


def mirror_of(path: Path) -> Path:
    """Where the tests of a module are: x/y.py has x/test_y.py, and x/__init__.py has x/test_init.py."""
    return path.relative_to(SOURCE).with_name(f"test_{path.stem.strip('_')}.py")


def test_every_module_has_tests_in_the_file_of_its_name() -> None:
    wanted = {mirror_of(path) for path in FILES if path.stat().st_size}
    assert [str(path) for path in sorted(wanted) if not (TESTS / path).is_file()] == []


def test_every_file_of_tests_in_a_package_is_of_a_module_of_it() -> None:
    known = {mirror_of(path) for path in FILES}
    found = {path.relative_to(TESTS) for path in TESTS.glob("*/**/test_*.py")}
    assert [str(path) for path in sorted(found - known) if path.parts[0] not in NO_MODULES] == []


def test_no_part_imports_what_only_the_tests_may_use() -> None:
    # evo is under the GPL: trajectories are compared with it in the tests, and nothing else.
    assert [str(each) for path in FILES for each in imports_of(path) if is_in(each.imported, "evo")] == []


def test_every_file_has_at_most_350_lines() -> None:
    lengths = {module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module_name(path)}.{node.name}", node


def test_every_function_has_fewer_than_50_lines() -> None:
    lengths = {name: (node.end_lineno or node.lineno) - node.lineno + 1 for name, node in functions()}
    assert {name: length for name, length in lengths.items() if length >= 50} == {}


def test_every_function_has_at_most_8_arguments() -> None:
    too_many = {
        name: count
        for name, node in functions()
        if (count := len([a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)])) > 9
        or (count > 8 and node.args.args[0].arg not in ("self", "cls"))
    }
    assert too_many == {}


def test_every_file_says_what_it_is_for() -> None:
    silent = [module_name(path) for path in FILES if path.stat().st_size and not ast.get_docstring(parsed(path))]
    assert silent == []


@pytest.mark.parametrize(
    "code",
    [
        "import selfdepth",
        "import selfdepth.config, selfdepth.presets, selfdepth.paper.tables, selfdepth.errors",
        "from selfdepth.cli.main import main; main(['--help'])",
        "from selfdepth.cli.main import main; main(['--version'])",
        "from selfdepth.cli.main import main; main(['train', '--help'])",
    ],
)
def test_neither_the_import_of_the_package_nor_help_waits_for_torch(code: str) -> None:
    # In a process of its own: this one has imported torch long ago.
    asked = f"import sys\ntry:\n    exec({code!r})\nexcept SystemExit: pass\n"
    asked += "sys.exit(' '.join(sorted({'torch', 'timm', 'torchvision', 'tensorboard'} & set(sys.modules))) or 0)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
