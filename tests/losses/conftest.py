"""Both ways to compute the objective."""

from __future__ import annotations

import pytest

from selfdepth.losses import objective


@pytest.fixture(params=["fused", "tensors"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The objective as one pass in C, and with tensor operations as on GPUs."""
    if request.param == "tensors":
        monkeypatch.setattr(objective, "can_fuse", lambda *_: False)
    return str(request.param)
