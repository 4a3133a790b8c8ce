"""Videos for the tests."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def write_two_streams(path: Path) -> Path:
    """Eight frames each of a dark and a bright camera in one file. Returns the path."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i in range(8):
            for stream, level in zip(streams, (40, 200), strict=True):
                pixels = np.full((64, 96, 3), level + i, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    return path
