"""A stand-in for rclpy and sensor_msgs: what a node of one camera uses, as strict as ROS 2 about its fields."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from jaxtyping import UInt8
from numpy import ndarray

_NUMBERS = {"uint8": 2**8, "uint32": 2**32}


class Message:
    """A message that accepts its own fields alone, each of its type, as the classes that ROS generates."""

    FIELDS: ClassVar[dict[str, str]] = {}

    def __init__(self, **fields: Any) -> None:
        for name in self.FIELDS:
            object.__setattr__(self, name, None)
        for name, value in fields.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self.FIELDS[name]
        if kind in _NUMBERS:
            assert type(value) is int and 0 <= value < _NUMBERS[kind], f"{name} is {kind}, not {value!r}"
        elif kind == "uint8[]":
            assert isinstance(value, array) and value.typecode == "B", f"{name} is slow to set to {type(value)}"
        elif kind == "string":
            assert type(value) is str, f"{name} is a text, not {value!r}"
        object.__setattr__(self, name, value)


class Image(Message):
    FIELDS: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("height", "width", "step"), "uint32"),
        "header": "Header",
        "encoding": "string",
        "is_bigendian": "uint8",
        "data": "uint8[]",
    }


class CameraInfo(Message):
    FIELDS: ClassVar[dict[str, str]] = {"header": "Header", "height": "uint32", "width": "uint32", "k": "float64[9]"}


def image_of(pixels: UInt8[ndarray, "h w 3"], header: Any) -> Image:
    """A message with RGB pixels, as a camera sends them: BGR, with some bytes after each row."""
    height, width, _ = pixels.shape
    rows = np.concatenate([pixels[..., ::-1].reshape(height, -1), np.zeros((height, 6), np.uint8)], axis=1)
    return Image(
        header=header,
        height=height,
        width=width,
        encoding="bgr8",
        is_bigendian=0,
        step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )


@dataclass(frozen=True, kw_only=True)
class QoSProfile:
    """With rclpy's defaults, which keep the last `depth` messages and send each until it has arrived."""

    depth: int
    history: str = "keep_last"
    reliability: str = "reliable"


@dataclass
class Network:
    """What goes in and out of the nodes.

    Attributes:
        parameters: that replace the defaults of the nodes.
        sent: messages by topic.
        listeners: callback and quality of service by topic.
        published_with: quality of service by topic.
        errors: what the nodes have logged.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, list[Any]] = field(default_factory=dict)
    listeners: dict[str, tuple[Any, QoSProfile, type]] = field(default_factory=dict)
    published_with: dict[str, QoSProfile] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def install(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Let `import rclpy` and `import sensor_msgs` find the stand-in for the time of a test."""
    network = Network()

    class Node:
        def __init__(self, name: str) -> None:
            self.name = name

        def declare_parameter(self, name: str, default: Any) -> Any:
            return SimpleNamespace(value=network.parameters.get(name, default))

        def get_logger(self) -> Any:
            return SimpleNamespace(error=lambda text, *, throttle_duration_sec: network.errors.append(text))

        def create_publisher(self, kind: type, topic: str, qos: QoSProfile | int) -> Any:
            network.published_with[topic] = QoSProfile(depth=qos) if isinstance(qos, int) else qos

            def publish(message: Any) -> None:
                assert type(message) is kind
                network.sent.setdefault(topic, []).append(message)

            return SimpleNamespace(publish=publish)

        def create_subscription(self, kind: type, topic: str, callback: Any, qos: QoSProfile) -> None:
            network.listeners[topic] = callback, qos, kind

    modules = {
        "rclpy": {"init": lambda: None, "spin": lambda node: None},
        "rclpy.node": {"Node": Node},
        "rclpy.qos": {
            "QoSProfile": QoSProfile,
            "ReliabilityPolicy": SimpleNamespace(BEST_EFFORT="best_effort"),
        },
        "sensor_msgs": {},
        "sensor_msgs.msg": {"Image": Image, "CameraInfo": CameraInfo},
    }
    for name, contents in modules.items():
        made = ModuleType(name)
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, name, made)
    return network
