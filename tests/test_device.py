"""Which arithmetic the networks run in."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from selfdepth import device as module
from selfdepth.device import resolve_device, resolve_precision
from selfdepth.errors import ConfigError

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
