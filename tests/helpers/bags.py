"""ROS bags for the tests, of every kind, written with the writers of `rosbags`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy import ndarray
from PIL import Image
from rosbags.interfaces import Qos  # noqa: F401  imported first: the modules below import each other
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

from selfdepth.geometry.camera import Camera

Kind = Literal["ros1", "sqlite3", "mcap"]
KINDS: tuple[Kind, ...] = ("ros1", "sqlite3", "mcap")
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
IMAGE, COMPRESSED, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class Message:
    """A message to write: a function of the kind of bag makes it, so that one list serves all kinds."""

    topic: str
    type: str
    log_ns: int
    make: Callable[[Any], Any]
    data: bytes | None = None


def write_bag(path: Path, messages: Iterable[Message], kind: Kind = "mcap", zipped: str | None = None) -> Path:
    """Write messages, each at its time of recording. Returns the path: a file of ROS 1, or a folder of ROS 2.

    Args:
        zipped: compression of chunks ("bz2", "lz4") or "message" and "file" of ROS 2.
    """
    store = get_typestore(Stores.ROS1_NOETIC if kind == "ros1" else Stores.ROS2_HUMBLE)
    writer: Any
    if kind == "ros1":
        writer = Writer1(path)
        if zipped is not None:
            writer.set_compression(Writer1.CompressionFormat[zipped.upper()])
    else:
        writer = Writer2(path, version=9, storage_plugin=StoragePlugin[kind.upper()])
        if zipped is not None:
            writer.set_compression(CompressionMode[zipped.upper()], CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for each in messages:
            if each.topic not in connections:
                connections[each.topic] = writer.add_connection(each.topic, each.type, typestore=store)
            data = each.data
            if data is None:
                serialize = store.serialize_ros1 if kind == "ros1" else store.serialize_cdr
                data = bytes(serialize(each.make(store), each.type))
            writer.write(connections[each.topic], each.log_ns, data)
    return path


def file_of(bag: Path) -> Path:
    """The file of a bag: itself, or the only storage in its folder."""
    return bag if bag.is_file() else next(path for path in bag.iterdir() if path.suffix in (".db3", ".mcap"))


def header(store: Any, stamp_ns: int, frame_id: str = "camera") -> Any:
    """A header, with what ROS 1 adds to it."""
    stamp = store.types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    kind = store.types["std_msgs/msg/Header"]
    extra = {"seq": 0} if "seq" in kind.__dataclass_fields__ else {}
    return kind(stamp=stamp, frame_id=frame_id, **extra)


def image(
    pixels: ndarray, stamp_ns: int, *, topic: str = "/cam/image_raw", encoding: str = "rgb8", **fields: Any
) -> Message:
    """A raw image. Its array has the type and channels of its encoding; `log_ns` and any field may differ."""
    log_ns = fields.pop("log_ns", stamp_ns)
    values = np.ascontiguousarray(pixels)
    data = np.frombuffer(values.tobytes(), np.uint8)
    described = {
        "height": values.shape[0],
        "width": values.shape[1],
        "encoding": encoding,
        "is_bigendian": 0,
        "step": values.nbytes // values.shape[0] if values.shape[0] else 0,
        "data": data,
        **fields,
    }
    return Message(topic, IMAGE, log_ns, lambda store: store.types[IMAGE](header=header(store, stamp_ns), **described))


def compressed(data: bytes, stamp_ns: int, *, topic: str = "/cam/image_raw/compressed", form: str = "jpeg") -> Message:
    """A compressed image."""
    values = np.frombuffer(data, np.uint8)
    return Message(
        topic,
        COMPRESSED,
        stamp_ns,
        lambda store: store.types[COMPRESSED](header=header(store, stamp_ns), format=form, data=values),
    )


def encoded(pixels: ndarray, form: str = "JPEG") -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **({"quality": 95} if form == "JPEG" else {}))
    return file.getvalue()


def info(
    camera: Camera,
    stamp_ns: int,
    *,
    topic: str = "/cam/camera_info",
    model: str = "plumb_bob",
    D: Sequence[float] = (0, 0, 0, 0, 0),
    **fields: Any,
) -> Message:
    """The camera_info of a camera; K, P, sizes, binning and roi may be other ones."""
    K = [camera.fx, 0, camera.cx, 0, camera.fy, camera.cy, 0, 0, 1]
    P = [*K[:3], 0, *K[3:6], 0, *K[6:], 0]
    matrices = {"D": D, "K": K, "R": np.eye(3).ravel(), "P": P, **{k: fields.pop(k) for k in ("K", "P") if k in fields}}
    region = dict(zip(("x_offset", "y_offset", "width", "height"), fields.pop("roi", (0, 0, 0, 0)), strict=True))

    def make(store: Any) -> Any:
        kind = store.types[INFO]
        upper = "K" in kind.__dataclass_fields__
        described = {
            "height": camera.height,
            "width": camera.width,
            "distortion_model": model,
            "binning_x": 0,
            "binning_y": 0,
            "roi": store.types["sensor_msgs/msg/RegionOfInterest"](**region, do_rectify=False),
            **{k if upper else k.lower(): np.array(values, np.float64) for k, values in matrices.items()},
            **fields,
        }
        return kind(header=header(store, stamp_ns), **described)

    return Message(topic, INFO, stamp_ns, make)


def odometry(position: Sequence[float], speed: float, stamp_ns: int, topic: str = "/odom") -> Message:
    """A pose without rotation in metres, and a speed forward in metres per second."""
    name = "nav_msgs/msg/Odometry"

    def make(store: Any) -> Any:
        types = {key.rsplit("/", 1)[1]: value for key, value in store.types.items()}
        pose = types["Pose"](
            position=types["Point"](*map(float, position)), orientation=types["Quaternion"](0.0, 0.0, 0.0, 1.0)
        )
        twist = types["Twist"](linear=types["Vector3"](float(speed), 0.0, 0.0), angular=types["Vector3"](0.0, 0.0, 0.0))
        return types["Odometry"](
            header=header(store, stamp_ns, "odom"),
            child_frame_id="base_link",
            pose=types["PoseWithCovariance"](pose=pose, covariance=np.zeros(36)),
            twist=types["TwistWithCovariance"](twist=twist, covariance=np.zeros(36)),
        )

    return Message(topic, name, stamp_ns, make)


def frames(count: int = 6, size: tuple[int, int] = (48, 32)) -> list[ndarray]:
    """Pictures that a camera could have taken: one texture, moving."""
    rng = np.random.default_rng(0)
    texture = np.kron(
        rng.integers(0, 256, (size[1] // 4 + 1, size[0] // 4 + count, 3), dtype=np.uint8), np.ones((4, 4, 1), np.uint8)
    )
    return [np.ascontiguousarray(texture[: size[1], 2 * i : 2 * i + size[0]]) for i in range(count)]


def stamps(count: int) -> list[int]:
    """Times of as many frames, ten a second."""
    return [START_NS + i * STEP_NS for i in range(count)]


def simple_bag(path: Path, kind: Kind = "mcap", count: int = 6, **options: Any) -> Path:
    """A bag of one raw camera with its camera_info."""
    camera = Camera(fx=40.0, fy=41.0, cx=23.5, cy=15.5, width=48, height=32)
    messages = [
        each
        for pixels, stamp in zip(frames(count), stamps(count), strict=True)
        for each in (image(pixels, stamp), info(camera, stamp))
    ]
    return write_bag(path, messages, kind, **options)
