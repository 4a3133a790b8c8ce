"""What the tests of the networks share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def outputs(golden: Path) -> dict[str, np.ndarray]:
    """Images, and what the reference networks give for them."""
    return dict(np.load(golden / "networks_and_metrics" / "networks.npz"))
