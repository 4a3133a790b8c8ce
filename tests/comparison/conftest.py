"""What the tests of comparisons share."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from helpers.comparison_place import Place, build_place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A drive and models. Not to be changed."""
    return build_place(tmp_path_factory.mktemp("comparison"))
