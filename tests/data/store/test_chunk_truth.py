"""Ground truth beside chunks: bit for bit what the data has, and nothing else is believed."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from helpers.memory_footage import footage, sequence
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.build import build_store
from selfdepth.data.store.chunk_truth import decode_map, decode_truth, encode_map, encode_truth
from selfdepth.data.store.chunked import CHUNKS_INDEX, open_chunks
from selfdepth.data.store.index import sealed
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.write_chunks import ChunkContents, contents_of_store, write_chunks
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError, SelfDepthWarning, TrainingError
from selfdepth.geometry.ray_depth import DepthIs

DAMAGED = FrameRef("b", 19)


@dataclass(frozen=True)
class Measured(DepthTruth):
    """Sparse maps of all frames but number 18, along the rays of sequence a."""

    breaks: bool = False

    def __call__(self, ref: FrameRef) -> ndarray | None:
        if self.breaks and ref == DAMAGED:
            raise DataError("the scan is cut off", where="19.bin")
        rng = np.random.default_rng([ref.number, *ref.sequence.encode()])
        return None if ref.number == 18 else rng.random((48, 80)) * (rng.random((48, 80)) < 0.1)

    def depth_is(self, ref: FrameRef) -> DepthIs:
        return "ray" if ref.sequence == "a" else "z"


@pytest.fixture
def contents(tmp_path: Path) -> ChunkContents:
    drives = (sequence(tmp_path / name, name, tuple(range(20))) for name in "ab")
    return contents_of_store(build_store(footage(*drives), tmp_path / "store", width=64, height=32), Measured())


def place(tmp_path: Path) -> Remote:
    return Remote(str(tmp_path / "chunks"), "--out")


def test_the_maps_of_validation_frames_come_back_bit_for_bit(contents: ChunkContents, tmp_path: Path) -> None:
    write_chunks(contents, place(tmp_path))
    truth, given = open_chunks(place(tmp_path), tmp_path / "cache").own_truth, Measured()
    for ref in contents.validated:
        read, expected = truth(ref), given(ref)
        assert truth.may_have(ref) == (expected is not None)
        assert truth.depth_is(ref) == given.depth_is(ref) or expected is None
        if expected is None:
            assert read is None
        else:
            assert read is not None
            assert read.dtype == expected.dtype
            assert np.array_equal(read, expected)
    assert truth(FrameRef("a", 3)) is None, "frames to train on have none"
    assert not write_chunks(contents, place(tmp_path)), "and they are not written twice"


@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_a_damaged_map_is_one_sentence_and_prepare_writes_it_again(
    contents: ChunkContents, tmp_path: Path, harm: str
) -> None:
    write_chunks(contents, place(tmp_path))
    truth = open_chunks(place(tmp_path), tmp_path / "cache").own_truth
    victim = sorted((tmp_path / "chunks").glob("truth-*"))[0]
    content = victim.read_bytes()
    victim.unlink() if harm == "missing" else victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    problems = []
    for ref in contents.validated:
        try:
            truth(ref)
        except DataError as error:
            problems.append(str(error))
    assert len(problems) == 1
    assert f"the ground truth {'is missing' if harm == 'missing' else 'was altered'}: {victim}" in problems[0]
    assert "run selfdepth prepare again with the same --out" in problems[0]
    with pytest.warns(SelfDepthWarning, match="written again, because it differs: maps of ground truth"):
        assert write_chunks(contents, place(tmp_path))
    assert victim.read_bytes() == content


def test_chunks_without_ground_truth_get_it_and_lose_it_by_their_index_alone(
    contents: ChunkContents, tmp_path: Path
) -> None:
    bare = replace(contents, truth=DepthTruthless())
    write_chunks(bare, place(tmp_path))
    assert open_chunks(place(tmp_path), tmp_path / "cache").own_truth(FrameRef("a", 19)) is None
    with pytest.warns(SelfDepthWarning, match="maps of ground truth, selfdepth.json"):
        write_chunks(contents, place(tmp_path))
    assert len(list((tmp_path / "chunks").glob("truth-*"))) == 2
    with pytest.warns(SelfDepthWarning, match="because it differs: selfdepth.json"):
        write_chunks(bare, place(tmp_path))
    assert not list((tmp_path / "chunks").glob("truth-*"))


class DepthTruthless(DepthTruth):
    """Has no maps."""

    def __call__(self, ref: FrameRef) -> None:
        return None


def test_ground_truth_that_cannot_be_read_is_left_out_with_a_word(contents: ChunkContents, tmp_path: Path) -> None:
    with pytest.warns(SelfDepthWarning, match=r"of 1 of the frames cannot be read, and is left out: .*scan is cut off"):
        write_chunks(replace(contents, truth=Measured(breaks=True)), place(tmp_path))
    truth = open_chunks(place(tmp_path), tmp_path / "cache").own_truth
    assert [truth.may_have(ref) for ref in contents.validated] == [False, True, False, False]


def test_a_place_that_cannot_be_read_ends_the_validation(
    contents: ChunkContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_chunks(contents, place(tmp_path))
    truth = open_chunks(place(tmp_path), tmp_path / "cache").own_truth

    def refuse(*_: object, **__: object) -> None:
        raise DataError("the chunks cannot be reached")

    monkeypatch.setattr(Remote, "read", refuse)
    with pytest.raises(
        TrainingError, match=r"ground truth beside the chunks cannot be read; got the chunks cannot be reached"
    ):
        truth(FrameRef("a", 19))


def test_chunks_that_were_made_before_there_was_ground_truth_are_read(contents: ChunkContents, tmp_path: Path) -> None:
    write_chunks(contents, place(tmp_path))
    change_index(tmp_path, lambda plan: plan.pop("truth"))
    assert open_chunks(place(tmp_path), tmp_path / "cache").own_truth(FrameRef("a", 19)) is None


GOOD = [0, 3, "0" * 64, 99, "z"]


@pytest.mark.parametrize(
    "entries",
    [
        {"a": 1},
        [7],
        [GOOD[:-1]],
        [[2, *GOOD[1:]]],
        [[-1, *GOOD[1:]]],
        [[True, *GOOD[1:]]],
        [[0, 3, "../" + "0" * 61, 99, "z"]],
        [[0, 3, "0" * 64, 0, "z"]],
        [[0, 3, "0" * 64, 10**12, "z"]],
        [[0, 3, "0" * 64, 99, "x"]],
    ],
)
def test_an_index_with_other_maps_is_refused(contents: ChunkContents, tmp_path: Path, entries: Any) -> None:
    assert decode_truth(entries, ["a", "b"]) is None
    if not (tmp_path / "chunks").exists():
        write_chunks(contents, place(tmp_path))
    change_index(tmp_path, lambda plan: plan.update(truth=entries))
    with pytest.raises(DataError, match="the index of the chunks cannot be used"):
        open_chunks(place(tmp_path), tmp_path / "cache")


def change_index(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "chunks" / CHUNKS_INDEX
    values = json.loads(path.read_text())
    del values["sha256"]
    change(values["chunks"])
    path.write_text(sealed(json.dumps(values)))


def test_what_is_written_of_maps_is_read_from_the_index() -> None:
    objects = {FrameRef("b", 4): encode_map(np.ones((2, 3)), "ray")[0]}
    assert decode_truth(json.loads(json.dumps(encode_truth(objects, ["a", "b"]))), ["a", "b"]) == objects


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_map_keeps_its_values_and_their_type(dtype: type) -> None:
    depth = np.arange(12, dtype=dtype).reshape(3, 4) / 7
    read = decode_map(encode_map(depth, "z")[1], "x")
    assert read.dtype == dtype
    assert np.array_equal(read, depth)


HEAD = encode_map(np.ones((2, 3)), "z")[1][:20]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"SDTRUTH2" + HEAD[8:] + zlib.compress(bytes(48)),
        HEAD + b"not compressed",
        HEAD + zlib.compress(bytes(47)),
        HEAD + zlib.compress(bytes(10**6)),
        HEAD + zlib.compress(bytes(48))[:-2],
        HEAD[:8] + b"\xff" * 8 + HEAD[16:] + zlib.compress(bytes(48)),
        HEAD[:8] + bytes(8) + HEAD[16:] + zlib.compress(b""),
        HEAD[:16] + b"\x02" + HEAD[17:] + zlib.compress(bytes(12)),
    ],
)
def test_what_is_no_map_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="this is no map of ground truth: x"):
        decode_map(content, "x")
