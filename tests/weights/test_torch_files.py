"""What torch.save wrote is read; what would fill the memory or run is refused before any of it is built."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from selfdepth.errors import CheckpointError, SelfDepthError
from selfdepth.weights import torch_files
from selfdepth.weights.torch_files import load_plain


def refusal(got: str) -> SelfDepthError:
    return CheckpointError("the file cannot be read", got=got)


def load(path: Path) -> Any:
    return load_plain(path, require_modest=lambda n_bytes: None, refusal=refusal)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch must not be asked."""
    monkeypatch.setattr(torch, "load", lambda *args, **options: pytest.fail("was read"))


def stored(path: Path, content: bytes, *, is_zip: bool) -> Path:
    """A file in either format of torch.save, with a pickle of our own."""
    if is_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/version", "3\n")
    else:
        head = [torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {}]
        path.write_bytes(b"".join(pickle.dumps(each, protocol=2) for each in head) + content + b"\x80\x02].")
    return path


@pytest.mark.parametrize("is_zip", [True, False])
def test_tensors_numbers_and_texts_come_back(tmp_path: Path, is_zip: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    shared = torch.arange(6.0)
    values = {
        "learner": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "kinds": [torch.ones(2, dtype=kind) for kind in (torch.float16, torch.bfloat16, torch.float64, torch.uint8)],
        "shared": (shared, shared[2:], shared.reshape(2, 3).T),
        "plain": [1, -(2**40), 2.5, None, True, "x", "7", (), (1, (2, 3)), {"a": {}}, OrderedDict(b=1)],
    }
    torch.save(values, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    got = load(tmp_path / "a.pth")
    assert got["plain"] == values["plain"]
    assert list(got["learner"]) == list(network.state_dict())
    for ours, theirs in zip(torch_files._tensors(got), torch_files._tensors(values), strict=True):
        assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype
    network.load_state_dict(got["learner"])
    optimizer.load_state_dict(got["optimizer"])


CALL = b"\x85R."
ONE_TO_FOUR = b"(K\x01K\x02K\x03K\x04t"
HOSTILE = {
    "a byte array": (b"c__builtin__\nbytearray\nJ\x00\x00\x00\x7f" + CALL, "builtin__.bytearray"),
    "a function": (b"cos\nsystem\nX\x02\x00\x00\x00ls" + CALL, "os.system"),
    "copies": (b"ccollections\nOrderedDict\nq\x00}q\x01h\x00h\x01" + CALL, "a call with other arguments"),
    "copies in attributes": (
        b"ccollections\nOrderedDict\nq\x00}q\x010h\x00)Rh\x01b.",
        "the instruction POP",
    ),
    "attributes used twice": (
        b"](ccollections\nOrderedDict\nq\x00)R}q\x01bh\x00)Rh\x01be.",
        "other attributes",
    ),
    "arguments used twice": (b"](ccollections\nOrderedDict\nq\x00)q\x01Rh\x00h\x01Re.", "a call with other arguments"),
    "new": (b"ccollections\nOrderedDict\n)\x81.", "the instruction NEWOBJ"),
    "a frame": (b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "the instruction FRAME"),
    "a long byte array": (b"\x96\x03\x00\x00\x00\x00\x00\x00\x00abc.", "the instruction BYTEARRAY8"),
    "a long number": (b"\x8a\x09" + b"\x01" * 9 + b".", "a number of many digits"),
    "a dictionary by tuples": (b"}K\x01K\x02\x86Ns.", "a dictionary by other things"),
    "a storage by a number": (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nK\x00X\x03\x00\x00\x00cpuK\x01tQ.",
        "other",
    ),
    "a module": (ONE_TO_FOUR + b"Q.", "other things than numbers of tensors"),
    "sparse": (b"ctorch._utils\n_rebuild_sparse_tensor\n.", "_rebuild_sparse_tensor"),
    "a device": (b"ctorch\ndevice\n.", "torch.device"),
}


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(("content", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_what_torch_save_never_writes_for_tensors_is_refused_before_it_is_built(
    tmp_path: Path, content: bytes, sentence: str, is_zip: bool
) -> None:
    path = stored(tmp_path / "a.pth", b"\x80\x02" + content, is_zip=is_zip)
    with pytest.raises(CheckpointError, match=f"got Python objects, which are not read: .*{sentence}"):
        load(path)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("content", [b"]" * 10_001, b"X\x00\x00\x00\x01" + bytes(1 << 24) + b"."])
def test_endless_instructions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(torch_files, "_MOST_STEPS", 10_000)
    for is_zip in (True, False):
        with pytest.raises(CheckpointError, match=r"too many of them|a damaged file"):
            load(stored(tmp_path / "a.pth", content, is_zip=is_zip))


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"\x80\x02t.", b"\x80\x02h\x05.", b"\x80\x02\xfe."])
@pytest.mark.parametrize("is_zip", [True, False])
def test_damage_is_one_refusal(tmp_path: Path, content: bytes, is_zip: bool) -> None:
    with pytest.raises(CheckpointError, match="got a damaged file"):
        load(stored(tmp_path / "a.pth", content, is_zip=is_zip))


def test_a_tar_archive_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its first bytes, the name of a member, are a file of torch.save as well.
    name = stored(tmp_path / "name", b"\x80\x02}.", is_zip=False).read_bytes()
    monkeypatch.setattr(tarfile, "open", lambda *args, **options: pytest.fail("was opened"))
    (tmp_path / "a.pth").write_bytes(name + bytes(2000))
    assert load(tmp_path / "a.pth") == {}


def test_the_file_what_it_unpacks_to_and_its_tensors_are_judged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"x": torch.zeros(1).expand(1000, 1000)}, buffer)
    with zipfile.ZipFile(buffer) as stored, zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
        packed.writestr("archive/more", bytes(100_000))
    sizes: list[int] = []
    load_plain(tmp_path / "a.pth", require_modest=sizes.append, refusal=refusal)
    assert sizes[0] == (tmp_path / "a.pth").stat().st_size < 5000
    assert 100_000 < sizes[1] < 102_000
    assert sizes[2] == 4_000_000
