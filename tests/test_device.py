"""Which arithmetic the networks run in."""

from __future__ import annotations

import warnings

import pytest
import torch
from jaxtyping import TypeCheckError

from selfdepth import device as module
from selfdepth.device import Arithmetic, choose_arithmetic, resolve_device, resolve_precision
from selfdepth.errors import ConfigError, SelfDepthWarning

CPU = torch.device("cpu")
MEASURED = module._bf16_gain_on_cpu
"""As it is, before tests are made independent of it."""


@pytest.mark.parametrize(("gain", "dtype"), [(2.0, torch.bfloat16), (1.0, torch.float32), (0.5, torch.float32)])
def test_a_processor_runs_in_bf16_only_where_that_is_measured_to_be_faster(
    gain: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_bf16_gain_on_cpu", lambda: gain)
    assert resolve_precision("auto", CPU) == dtype
    assert resolve_precision("fp32", CPU) == torch.float32
    assert resolve_precision("bf16", CPU) == torch.bfloat16


def test_the_gain_is_measured_once_and_is_nothing_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    MEASURED.cache_clear()
    assert MEASURED() == MEASURED()
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    MEASURED.cache_clear()
    assert MEASURED() == 0.0
    MEASURED.cache_clear()


def test_a_precision_or_device_that_does_not_exist_is_refused() -> None:
    with pytest.raises((ConfigError, TypeCheckError), match="precision"):
        resolve_precision("fp8", CPU)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="device"):
        resolve_device("abacus")


@pytest.mark.parametrize(("gain", "before"), [(2.0, "fp32"), (0.5, "bf16")])
def test_auto_is_what_it_was_before_whatever_a_measurement_says_now(
    gain: float, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_bf16_gain_on_cpu", lambda: gain)
    was = Arithmetic(device="cpu", precision=before, threads=torch.get_num_threads())  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_arithmetic("auto", CPU, was) == was
    now = choose_arithmetic("auto", CPU)
    assert now.precision != before and now.dtype == resolve_precision("auto", CPU)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": "bf16"}, "precision fp32 instead of bf16.*--precision bf16"),
        ({"threads": 77}, "threads .* instead of 77.*OMP_NUM_THREADS=77"),
        ({"device": "cuda", "threads": 0}, "device cpu instead of cuda.*--device cuda"),
    ],
)
def test_a_resume_in_another_arithmetic_says_both(changes: dict[str, object], words: str) -> None:
    same = {"device": "cpu", "precision": "fp32", "threads": torch.get_num_threads()}
    with pytest.warns(SelfDepthWarning, match=words) as said:
        assert choose_arithmetic("fp32", CPU, Arithmetic(**{**same, **changes})) == Arithmetic(**same)  # type: ignore[arg-type]
    assert len(said) == 1
