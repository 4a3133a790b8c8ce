"""What the tests of depth evaluation share."""

from __future__ import annotations

import pytest

from helpers.depth_world import World, build_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small KITTI root, models and predictions. Not to be changed."""
    return build_world(tmp_path_factory.mktemp("world"))
