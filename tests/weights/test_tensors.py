"""Tensors are read, or refused before anything is allocated for them."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from selfdepth.errors import CheckpointError
from selfdepth.weights.tensors import is_finite, read_tensors, require_modest


def test_tensors_come_back_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}, path)
    state = read_tensors(path)
    assert state.keys() == {"a", "n"} and torch.equal(state["a"], torch.arange(6.0).reshape(2, 3))


def test_numbers_that_are_not_finite_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.tensor([0.0, float("inf")])}, path)
    with pytest.raises(CheckpointError, match="not finite in a"):
        read_tensors(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        (2**63).to_bytes(8, "little") + b"{}",
        (10**9).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{]",
        (1).to_bytes(8, "little") + b"{" * 100_000,
    ],
)
def test_what_is_no_list_of_tensors_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"cannot be read: .*model\.safetensors"):
        read_tensors(path)


@pytest.mark.parametrize("name", ["weights_megabytes", "json_megabytes"])
def test_what_is_too_large_is_refused_with_the_way_to_allow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "model.safetensors"
    header = json.dumps({"__metadata__": {"a": "x" * 10_000}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    require_modest(path)
    monkeypatch.setenv("SELFDEPTH_LIMITS", f"{name}=0")
    with pytest.raises(CheckpointError, match=rf"too large.*SELFDEPTH_LIMITS={name}=1"):
        read_tensors(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors.*No such file"):
        read_tensors(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e5m2])
def test_one_number_among_millions_that_is_not_finite_is_found(dtype: torch.dtype) -> None:
    values = torch.zeros(3000, 2000).to(dtype)
    assert is_finite(values) and is_finite(values.T)
    for place in ((0, 0), (1499, 1999), (2999, 1999)):
        spoilt = values.clone()
        spoilt.view(torch.uint8).reshape(3000, 2000, -1)[place] = 0xFF  # is no number in any of them
        assert not is_finite(spoilt) and not is_finite(spoilt.T)


def test_a_tensor_that_repeats_a_number_is_looked_at_without_a_copy() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert is_finite(torch.zeros(1).expand(3, 50_000_000)) and is_finite(torch.tensor(0.0))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kilobytes; it would be 600 MB"
