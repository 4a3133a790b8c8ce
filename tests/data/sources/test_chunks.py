"""Chunks as data, and data as chunks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.images import write_images
from selfdepth.config import TrainConfig
from selfdepth.config.teacher import TeacherConfig
from selfdepth.data.sources.chunks import Chunks, chunks_for
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import ConfigError, DataError

CONFIG = TrainConfig(width=64, height=64, camera="fov:60", batch_size=2)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drive")
    write_images(folder, range(24))
    return folder


@pytest.fixture(scope="module")
def chunks(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("far") / "chunks"
    chunks_for(recognise(frames), CONFIG, str(folder))
    return folder


def test_a_folder_of_chunks_is_recognised_and_gives_the_store_of_its_data(
    frames: Path, chunks: Path, tmp_path: Path
) -> None:
    source = recognise(chunks)
    assert source.kind == "chunks"
    far = source.store_for(replace(CONFIG, camera=None), tmp_path / "cache")
    local = recognise(frames).store_for(CONFIG, tmp_path / "store")
    assert np.array_equal(far.frames[0:24], local.frames)
    assert (far.train, far.val) == (local.train, local.val)


def test_a_local_store_can_be_written_as_chunks(frames: Path, chunks: Path, tmp_path: Path) -> None:
    recognise(frames).store_for(CONFIG, tmp_path / "store")
    chunks_for(recognise(tmp_path / "store"), CONFIG, str(tmp_path / "chunks"))
    names = [sorted(path.name for path in folder.iterdir()) for folder in (chunks, tmp_path / "chunks")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 96}, "frames of another size"),
        ({"camera": "fov:70"}, "--camera was fixed"),
        ({"teacher": TeacherConfig(path="teacher.onnx")}, "a teacher's maps lie beside the frames of a local store"),
        ({"cache_gb": 1e-5}, "the cache is smaller than a step needs"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    chunks: Path, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        recognise(chunks).store_for(replace(CONFIG, **change), tmp_path)  # type: ignore[arg-type]


def test_only_training_reads_chunks(chunks: Path) -> None:
    source = recognise(chunks)
    for work in (lambda: source.select(split=None, part=None, whole=False), lambda: source.sequences()):
        with pytest.raises(DataError, match=r"chunks are for training alone|a store holds neither"):
            work()
    with pytest.raises(DataError, match="only train reads chunks from a bucket"):
        recognise(Path("s3://bucket/name"))
    with pytest.raises(ConfigError, match="the data are chunks already"):
        chunks_for(source, CONFIG, str(chunks))
    with pytest.raises(ConfigError):
        Chunks(path=chunks, place=str(chunks)).at(stream=1)
