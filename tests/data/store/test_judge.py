"""The index of a store that anybody may have written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.memory_footage import footage, sequence
from helpers.store_index import as_version_3, rewrite_index
from selfdepth.data.frames import StereoPartner
from selfdepth.data.store.build import build_store
from selfdepth.data.store.index import FRAMES_FILE, INDEX_FILE
from selfdepth.data.store.judge import read_index
from selfdepth.data.store.store import Store
from selfdepth.errors import DataError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    left, right = sequence(tmp_path / "a", "left"), sequence(tmp_path / "b", "right", (2, 3))
    left = dataclasses.replace(left, partner=StereoPartner(sequence="right", translation_m=(-0.5, 0.0, 0.0)))
    return build_store(footage(left, right), tmp_path / "store", width=64, height=32)


def test_an_index_says_what_the_store_holds(store: Store) -> None:
    index = read_index(store.folder)
    assert (index.width, index.height, index.train, index.val) == (64, 32, store.train, store.val)
    assert [item.partner for item in index.sequences] == [item.partner for item in store.sequences]


def test_a_store_of_the_version_before_is_read_without_checksums(store: Store) -> None:
    as_version_3(store.folder)
    index = read_index(store.folder)
    assert (index.frames_digest, index.train) == (None, store.train)


def test_an_altered_index_is_noticed(store: Store) -> None:
    path = store.folder / INDEX_FILE
    path.write_text(path.read_text().replace('"kind": "', '"kind": "x', 1))
    with pytest.raises(DataError, match="the index was altered; make it again"):
        read_index(store.folder)


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: Any) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = value

    return change


ORIGIN = {"path": "/x", "split": None, "camera": None, "auto": 3}
BAD: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "count of a billion": (put("sequences", 0, "numbers", value=[[0, 10**9]]), "too many frames|incomplete"),
    "count beyond 64 bits": (
        put("sequences", 0, "numbers", value=[[0, 10**30]]),
        "the last one a count",
    ),
    "true as a number": (put("width", value=True), "width: int; got bool True"),
    "number as text": (put("height", value="32"), "height: int; got str 32"),
    "width of a giant": (put("width", value=10**9), "width: a number from 1 to"),
    "start moved": (put("sequences", 1, "start", value=3), "sequence 1: start: row 20.*got 3"),
    "sequence -1": (put("train", value=[[-1, 0, 1]]), "train: lists of 3 whole numbers"),
    "sequence 7": (put("train", value=[[7, 0, 1]]), "train: sequences 0 to 1; got 7"),
    "target that is no frame": (put("val", value=[[0, 15, 9]]), "val: frames of left; got 15 to 23"),
    "targets without end": (put("test", value=[[0, 0, 20]] * 20), "test: targets among 22 frames"),
    "numbers that go back": (put("sequences", 0, "numbers", value=[[10, 10], [0, 10]]), "numbers that go back"),
    "numbers twice": (put("sequences", 0, "numbers", value=[[0, 10], [9, 10]]), "numbers that go back"),
    "a name twice": (put("sequences", 1, "name", value="left"), "every name once|another sequence"),
    "partner missing": (put("sequences", 0, "partner", "sequence", value="gone"), "partner: another sequence"),
    "partner of itself": (put("sequences", 0, "partner", "sequence", value="left"), "partner: another sequence"),
    "partner infinitely far": (put("sequences", 0, "partner", "translation_m", value=[1, float("inf"), 0]), "3 finite"),
    "tiny camera": (put("sequences", 0, "camera", "width", value=1), "K: the camera's, cropped and resized"),
    "camera without a focus": (put("sequences", 0, "camera", "fx", value=0), "camera: fx, fy, cx, cy: a positive"),
    "another K": (put("sequences", 0, "K", 0, 0, value=1.0), "K: the camera's"),
    "K of text": (put("sequences", 0, "K", value=["a"]), "K: 3 finite numbers"),
    "names too few": (put("sequences", 0, "names", value=["a"]), "20 texts, one for each frame; got 1"),
    "names of numbers": (put("sequences", 0, "names", value=list(range(20))), "20 texts"),
    "digits of a giant": (put("sequences", 0, "names", value=10**9), "names: a number from 1 to 255"),
    "crop that leaves nothing": (put("crop", value=[100, 0, 0, 0]), "camera: a camera that the crop leaves"),
    "crop of three": (put("crop", value=[0, 0, 0]), "crop: 4 whole numbers"),
    "no spacing": (put("spacing", value=0), "spacing: a number from 1"),
    "origin of numbers": (
        put("origin", value={"split": None, "camera": None, "auto": 3, "path": "/x"}),
        "origin: auto: bool; got int 3",
    ),
    "sequences as text": (put("sequences", value="ab"), "sequences: list; got str ab"),
    "sequence as text": (put("sequences", 0, value="ab"), "sequence 0: numbers: a value; got none"),
    "no frames": (put("sequences", value=[]), "incomplete"),
    "no train": (lambda values: values.pop("train"), "train: a value; got none"),
    "another version": (put("version", value=99), "another version.*got 99"),
    "version as text": (put("version", value="4"), "version: int; got str 4"),
}


@pytest.mark.parametrize("version", [4, 3])
@pytest.mark.parametrize("name", BAD)
def test_a_value_that_cannot_be_is_refused_by_its_place(store: Store, name: str, version: int) -> None:
    change, sentence = BAD[name]
    rewrite_index(store.folder, put("version", value=version))
    rewrite_index(store.folder, change)
    with pytest.raises(DataError, match=sentence):
        read_index(store.folder)


def test_nothing_is_allocated_for_frames_of_a_hole(store: Store) -> None:
    with (store.folder / FRAMES_FILE).open("r+b") as file:
        file.truncate(10**9 * 3 * 64 * 32)
    rewrite_index(store.folder, put("sequences", value=[]))
    with pytest.raises(DataError, match="incomplete"):
        read_index(store.folder)


def test_lists_in_lists_are_refused(store: Store) -> None:
    (store.folder / INDEX_FILE).write_text('{"format": "selfdepth-store", "version": ' + "[" * 100_000)
    with pytest.raises(DataError, match="too deep"):
        read_index(store.folder)
