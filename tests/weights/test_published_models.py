"""The published models come by name, once; whatever goes wrong is one sentence and leaves nothing behind."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.loopback import Loopback
from selfdepth.cli.main import main
from selfdepth.download import cache_folder
from selfdepth.errors import CheckpointError, OutputError, SelfDepthWarning
from selfdepth.weights.files import load_weights
from selfdepth.weights.published_models import PUBLISHED, PUBLISHED_NAMES, fetch_published

NAME = "mono+stereo_640x192"
Files = dict[str, dict[str, Any]]


@dataclass
class DownloadSite:
    """The public address of the models, on this machine."""

    server: Loopback

    def give(self, body: bytes, *, status: int = 200, length: int | None = None) -> None:
        self.server.give("/models/mono%2Bstereo_640x192.zip", body, status=status, length=length)

    @property
    def asked(self) -> list[str]:
        return self.server.asked


@pytest.fixture
def address(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> DownloadSite:
    monkeypatch.setenv("SELFDEPTH_PUBLISHED_URL", f"{loopback.url}/models")
    return DownloadSite(loopback)


@pytest.fixture(scope="session")
def contents(files_of: Callable[..., Files]) -> dict[str, bytes]:
    """The files of a published model, small ones."""
    packed = {}
    for name, entries in files_of("posecnn", stereo=True, light=True).items():
        buffer = io.BytesIO()
        torch.save(entries, buffer)
        packed[name] = buffer.getvalue()
    return packed


def zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def archive(contents: dict[str, bytes]) -> bytes:
    return zipped({f"{NAME}/{name}": content for name, content in contents.items()})


def left_in_cache() -> list[Path]:
    return [path for path in cache_folder().rglob("*") if path.name != "monodepth2"]


def test_there_are_nine_names_at_their_public_address() -> None:
    assert len(set(PUBLISHED_NAMES)) == 9
    assert {"mono_640x192", "stereo_no_pt_640x192", "mono+stereo_1024x320"} < set(PUBLISHED_NAMES)
    assert PUBLISHED.base.startswith("https://")


def test_a_published_name_is_fetched_once_and_its_licence_is_said(address: DownloadSite, archive: bytes) -> None:
    address.give(archive)
    with pytest.warns(SelfDepthWarning, match="non-commercial") as said:
        model = load_weights(NAME)
    assert len(said) == 1
    assert model.folder == cache_folder() / "monodepth2" / NAME
    assert model.config.metres_per_unit == 5.4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_weights(NAME).folder == model.folder
    assert address.asked == ["/models/mono%2Bstereo_640x192.zip"]
    assert sorted(path.name for path in (cache_folder() / "monodepth2").iterdir()) == [NAME]


def test_a_folder_of_that_name_comes_before_the_download(
    address: DownloadSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="holds no model"):
        load_weights(NAME)
    assert address.asked == []


def test_the_command_line_says_the_licence_and_goes_on(
    address: DownloadSite, archive: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # the command line replaces it
    address.give(archive)
    assert main(["info", NAME]) == 0
    output = capsys.readouterr()
    assert "non-commercial use only" in output.err
    assert "times 5.4 it is in metres" in output.out


@pytest.mark.parametrize("leads_out", ["../encoder.pth", "/tmp/encoder.pth", "a/../../encoder.pth", "..\\encoder.pth"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(
    address: DownloadSite, contents: dict[str, bytes], leads_out: str, tmp_path: Path
) -> None:
    address.give(zipped({leads_out: b"harm", "depth.pth": b"x"}))
    with pytest.warns(SelfDepthWarning), pytest.raises(CheckpointError, match="leads out of its folder"):
        fetch_published(NAME)
    assert left_in_cache() == []
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_only_the_models_files_are_unpacked(address: DownloadSite, contents: dict[str, bytes]) -> None:
    address.give(zipped({**contents, "adam.pth": b"x", "notes/read.me": b"x"}))
    with pytest.warns(SelfDepthWarning):
        folder = fetch_published(NAME)
    assert {path.name for path in folder.iterdir()} == set(contents)


def test_what_is_no_published_model_is_one_sentence_and_nothing_is_kept(
    address: DownloadSite, contents: dict[str, bytes], archive: bytes
) -> None:
    spoilt = bytearray(archive)
    spoilt[len(spoilt) // 2] ^= 0xFF
    table: list[tuple[dict[str, Any], str]] = [
        ({"body": b"<html>sign in first</html>"}, "not a published model.*not a zip"),
        ({"body": b""}, "not a published model"),
        ({"body": bytes(spoilt)}, "not a published model"),
        ({"body": zipped({"encoder.pth": contents["encoder.pth"]})}, "not a published model.*only encoder.pth"),
        ({"body": zipped({"readme.txt": b"x"})}, "not a published model"),
        ({"body": zipped({**contents, "depth.pth": b"x"})}, "not a published model.*depth.pth"),
        ({"body": zipped({**contents, "b/depth.pth": b"x"})}, "depth.pth appears twice"),
        ({"body": archive[:1000], "length": len(archive)}, f"interrupted.*1000 of {len(archive)} bytes; try again"),
        ({"body": archive[:-1000], "length": -1}, "not a published model"),
    ]
    for answer, sentence in table:
        address.give(**answer)
        with pytest.warns(SelfDepthWarning), pytest.raises(CheckpointError, match=sentence) as refusal:
            fetch_published(NAME)
        assert "\n" not in str(refusal.value)
        assert left_in_cache() == [], sentence
    address.give(archive)
    with pytest.warns(SelfDepthWarning):
        fetch_published(NAME)


def test_an_address_that_does_not_answer_is_one_sentence(
    address: DownloadSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be fetched.*404 Not Found; check the network"):
        fetch_published(NAME)
    address.give(b"", status=503)
    with pytest.raises(CheckpointError, match=r"cannot be fetched.*503"):
        fetch_published(NAME)
    for url in ("http://127.0.0.1:1/models", "not an address"):
        monkeypatch.setenv("SELFDEPTH_PUBLISHED_URL", url)
        with pytest.raises(CheckpointError, match="cannot be fetched"):
            fetch_published(NAME)
    assert left_in_cache() == []


def test_a_cache_that_cannot_be_written_to_is_one_sentence(
    address: DownloadSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SELFDEPTH_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write"):
        fetch_published(NAME)
    assert address.asked == []


def test_a_misspelt_name_is_no_reason_to_ask_the_network(address: DownloadSite) -> None:
    with pytest.raises(CheckpointError, match=r"no such model.*did you mean mono_640x192"):
        load_weights("mono_640x129")
    assert address.asked == []


@pytest.mark.parametrize("flip", ["method", "encrypted", "offset", "data"])
def test_a_broken_member_is_one_sentence_and_nothing_stays(address: DownloadSite, archive: bytes, flip: str) -> None:
    data, entry = bytearray(archive), archive.index(b"PK\x01\x02")
    if flip == "method":
        data[entry + 10] = zipfile.ZIP_LZMA
    elif flip == "encrypted":
        data[entry + 8] |= 1
    elif flip == "offset":
        data[entry + 42 : entry + 46] = b"\xff\xff\xff\x7f"
    else:
        data[100:150] = bytes(50)
    address.give(bytes(data))
    with pytest.raises(CheckpointError, match="not a published model"), pytest.warns(SelfDepthWarning):
        fetch_published(NAME)
    assert left_in_cache() == []


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(
    address: DownloadSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.give(zipped({f"{NAME}/encoder.pth": bytes(3_000_000)}))
    monkeypatch.setenv("SELFDEPTH_LIMITS", "archive_megabytes=2")
    with pytest.raises(CheckpointError, match="too large when unpacked"), pytest.warns(SelfDepthWarning):
        fetch_published(NAME)
    assert left_in_cache() == []
