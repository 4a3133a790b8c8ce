"""A store takes the place of nothing, or of a store that does not fit any more; never of anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.footage import Footage
from selfdepth.data.store.build import build_store, open_or_build
from selfdepth.data.store.store import Store, is_store
from selfdepth.errors import OutputError
from selfdepth.locks import held

SIZE = {"width": 64, "height": 32}
N_FRAMES = 9


def in_folder(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def drive(tmp_path: Path) -> Footage:
    return footage(sequence(tmp_path / "a", "a", tuple(range(N_FRAMES))))


@pytest.fixture
def built(drive: Footage, tmp_path: Path) -> Store:
    return build_store(drive, tmp_path / "store", **SIZE)


@pytest.mark.parametrize("own", ["notes.txt", "index.json", "frames.u8"])
def test_a_folder_of_the_user_is_never_replaced(tmp_path: Path, drive: Footage, own: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / own).write_text("{}")
    for make in (build_store, open_or_build):
        with pytest.raises(OutputError, match="holds other files"):
            make(drive, folder, **SIZE)
    assert in_folder(folder) == [own]


@pytest.mark.parametrize(
    ("index", "changes"),
    [("", {}), (None, {}), ("", {"width": 96}), ("\0" * 100, {"width": 96}), ("{}", {}), ("no frames", {})],
)
def test_a_store_with_a_lost_part_is_built_again(
    drive: Footage, built: Store, index: str | None, changes: dict[str, int]
) -> None:
    if index == "no frames":
        (built.folder / "frames.u8").unlink()
    elif index is None:
        (built.folder / "index.json").unlink()
    else:
        (built.folder / "index.json").write_text(index)
    again = open_or_build(drive, built.folder, **SIZE | changes)
    assert len(again.frames) == N_FRAMES and is_store(again.folder)


def test_a_store_with_only_its_maps_left_is_built_again(drive: Footage, built: Store) -> None:
    for name in ("index.json", "frames.u8"):
        (built.folder / name).unlink()
    for ending in ("u16", "json", "part", "sums", "lock"):
        (built.folder / f"teacher-{0:016x}.{ending}").touch()
    (built.folder / f".teacher-{0:016x}.json.123.part").touch()
    assert in_folder(open_or_build(drive, built.folder, **SIZE).folder) == ["frames.u8", "index.json"]


def test_a_store_whose_teacher_is_being_asked_is_not_replaced(drive: Footage, built: Store) -> None:
    pytest.importorskip("fcntl")
    before = in_folder(built.folder)
    with held(built.folder / f"teacher-{0:016x}.lock", on_busy=lambda: None):
        with pytest.raises(OutputError, match=r"another process is asking a teacher.*--store"):
            open_or_build(drive, built.folder, width=96, height=32)
        assert set(before) < set(in_folder(built.folder))
    open_or_build(drive, built.folder, width=96, height=32)


def test_a_store_with_other_files_in_it_is_not_replaced(drive: Footage, built: Store) -> None:
    (built.folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        open_or_build(drive, built.folder, width=32, height=32)
    assert (built.folder / "notes.txt").exists()
