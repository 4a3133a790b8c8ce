"""The words of --network-takes."""

from __future__ import annotations

import pytest

from selfdepth.config.network_input import NetworkInput
from selfdepth.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("518x518", NetworkInput("518x518")),
        ("bytes-bgr", NetworkInput(None, "bytes-bgr")),
        ("640x192,imagenet", NetworkInput("640x192", "imagenet")),
        ("imagenet,640x192", NetworkInput("640x192", "imagenet")),
    ],
)
def test_a_size_and_colours_are_read_in_any_order_and_written_back(text: str, expected: NetworkInput) -> None:
    assert NetworkInput.parse(text) == expected
    assert NetworkInput.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", ",", "imagnet", "518", "518x", "0x5", "-1x5", "9999999x4", "5x5,6x6"])
def test_anything_else_is_refused_by_the_option(text: str) -> None:
    with pytest.raises(ConfigError, match="--network-takes; expected WIDTHxHEIGHT"):
        NetworkInput.parse(text)
