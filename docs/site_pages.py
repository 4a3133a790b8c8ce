"""Hooks of mkdocs: the site is this repository as it is, with pages also for what lies outside `docs/`.

The README is the home page, and its list "Read on" gives the order of the pages. Every file of the repository that a
page links to becomes a page or a picture of the site: Markdown as it is, other texts as a block of code, a folder as
the list of its files.
"""

from __future__ import annotations

import ast
import os.path
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCED = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_PICTURES = {".png", ".jpg", ".svg"}
_LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".json": "json", ".sh": "bash", ".cff": "yaml", ".yml": "yaml"}
_ITEM = re.compile(r"^(\s*)([-*]|\d+\.) ")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Order the pages as the README lists them."""
    listed = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Read on\n")[2].partition("\n## ")[0]
    places = [place_of(target) for target, _ in map(_parted, _LINK.findall(listed)) if (ROOT / target).is_file()]
    config.nav = ["index.md", *dict.fromkeys(places)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what those link to in turn."""
    waiting = ["README.md", *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        if files.get_file_from_path(place_of(path)) is None:
            files.append(_added(path, config))
        new = set(_targets(path)) - known
        known |= new
        waiting += sorted(new)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn the links between files of the repository into links between pages of the site."""
    here = page.file.src_uri
    path = getattr(page.file, "repository_path", f"docs/{here}")

    def relinked(link: re.Match[str]) -> str:
        target, anchor = _parted(link[1])
        file = _resolved(path, target)
        if file is None:
            return link[0]
        return f"]({os.path.relpath(place_of(file), Path(here).parent)}{anchor})"

    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _spaced(_LINK.sub(relinked, part)) for part in parts)


def place_of(path: str) -> str:
    """Where a file or folder of the repository, given by its path in it, is among the sources of the site."""
    if path == "README.md":
        return "index.md"
    if (ROOT / path).is_dir():
        return f"{path}/index.md"
    place = path.removeprefix("docs/") if path.endswith(".md") or Path(path).suffix in _PICTURES else f"{path}.md"
    return place.replace("README.md", "index.md")


def _parted(target: str) -> tuple[str, str]:
    """A link's file and its anchor, with the sign."""
    file, sign, anchor = target.partition("#")
    return file, sign + anchor


def _resolved(path: str, target: str) -> str | None:
    """The path in the repository of what a file of it links to; None of other addresses and of what does not exist."""
    if not target or "://" in target:
        return None
    file = os.path.normpath(Path(path).parent / target)
    return file if (ROOT / file).exists() and not file.startswith("..") else None


def _targets(path: str) -> list[str]:
    """The files of the repository to which a page links."""
    if not path.endswith(".md"):
        return []
    text = _FENCED.sub("", (ROOT / path).read_text(encoding="utf-8"))
    files = (_resolved(path, target) for target, _ in map(_parted, _LINK.findall(text)))
    return [file for file in files if file is not None]


def _added(path: str, config: MkDocsConfig) -> File:
    place, source = place_of(path), ROOT / path
    if source.is_dir():
        file = File.generated(config, place, content=_listing(source))
    elif path.endswith(".md") or source.suffix in _PICTURES:
        file = File.generated(config, place, abs_src_path=str(source))
    else:
        text = source.read_text(encoding="utf-8")
        file = File.generated(
            config, place, content=f"# {path}\n\n````{_LANGUAGES.get(source.suffix, 'text')}\n{text}````\n"
        )
    file.repository_path = path  # type: ignore[attr-defined]  # for on_page_markdown
    return file


def _listing(folder: Path) -> str:
    """The files of a folder, those in Python with the first sentence of what they say of themselves."""
    lines = [f"# {folder.relative_to(ROOT)}", ""]
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        if "__pycache__" in file.parts or file.suffix == ".so":
            continue
        about = ""
        if file.suffix == ".py" and (said := ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))):
            about = ": " + said.partition("\n")[0]
        lines.append(f"- `{file.relative_to(folder)}`{about}")
    return "\n".join(lines) + "\n"


def _spaced(text: str) -> str:
    """A list that follows a paragraph without an empty line is a list on GitHub, but not in Python's Markdown."""
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        if _ITEM.match(line) and before and not before.startswith((" ", "|")) and not _ITEM.match(before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)
