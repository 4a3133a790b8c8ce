"""Streams on this machine for the tests of live input."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction

import av
import numpy as np


def mpegts(
    sizes: Sequence[tuple[int, int]] = ((96, 64),), *, frames: int = 6, levels: tuple[int, int] = (40, 200)
) -> bytes:
    """A transport stream: for each size, frames whose grey rises from the first of `levels` to the second."""
    parts = []
    for width, height in sizes:
        file = io.BytesIO()
        with av.open(file, "w", format="mpegts") as container:
            stream = container.add_stream("mpeg2video", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"g": "1", "qscale": "2"}
            for level in np.linspace(*levels, frames):
                pixels = np.full((height, width, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
        parts.append(file.getvalue())
    return b"".join(parts)


@contextmanager
def tcp_stream(*connections: bytes) -> Iterator[str]:
    """The address of a server that sends to each connection, in turn, its bytes, and then closes it."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            for data in connections:
                client, _ = server.accept()
                with client, suppress(OSError):
                    client.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        thread.join(10)
