"""An RTSP server on this machine, as cameras have one: H.264 in RTP, interleaved in the connection."""

from __future__ import annotations

import base64
import re
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np

_MTU, _RATE, _CLOCK = 1200, 25, 90_000
_UNIT = re.compile(rb"\x00\x00\x00?\x01")


def _units(levels: Sequence[int], width: int, height: int) -> list[list[bytes]]:
    """The H.264 units of frames of these greys, each a key frame with its parameters."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = context.framerate = Fraction(1, _RATE)
    context.options = {"tune": "zerolatency", "g": "1", "x264-params": "repeat-headers=1"}
    frames = []
    for number, level in enumerate(levels):
        frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), format="rgb24")
        frame.pts = number
        data = b"".join(bytes(packet) for packet in context.encode(frame))
        frames.append([unit for unit in _UNIT.split(data) if unit])
    return frames


def _rtp(frames: list[list[bytes]]) -> Iterator[bytes]:
    """RTP packets as they lie in the connection: units whole, or cut up (RFC 6184)."""
    sequence = 0
    for number, units in enumerate(frames):
        pieces: list[bytes] = []
        for unit in units:
            if len(unit) <= _MTU:
                pieces.append(unit)
                continue
            parts = [unit[1:][i : i + _MTU] for i in range(0, len(unit) - 1, _MTU)]
            for i, part in enumerate(parts):
                ends = (0x80 if i == 0 else 0) | (0x40 if i == len(parts) - 1 else 0)
                pieces.append(bytes([unit[0] & 0xE0 | 28, ends | unit[0] & 0x1F]) + part)
        for i, piece in enumerate(pieces):
            kind = 96 | (0x80 if i == len(pieces) - 1 else 0)
            packet = struct.pack(">BBHII", 0x80, kind, sequence & 0xFFFF, number * _CLOCK // _RATE, 7) + piece
            sequence += 1
            yield struct.pack(">cBH", b"$", 0, len(packet)) + packet


def _answer(client: socket.socket, frames: list[list[bytes]], asked: list[str]) -> None:
    parameters = ",".join(base64.b64encode(u).decode() for u in frames[0] if u[0] & 0x1F in (7, 8))
    sdp = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\n"
        f"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={parameters}\r\n"
        "a=control:track0\r\n"
    )
    reader = client.makefile("rb")
    while head := reader.readline().decode():
        lines = [head]
        while (line := reader.readline().decode()).strip():
            lines.append(line)
        method = head.split()[0]
        asked.append(method)
        number = next(line.split(":")[1].strip() for line in lines if line.lower().startswith("cseq"))
        more, body = "Session: 1\r\n", ""
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            more, body = f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n", sdp
        elif method == "SETUP":
            more += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        client.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n{body}".encode())
        if method == "PLAY":
            for packet in _rtp(frames):
                client.sendall(packet)
            return


@contextmanager
def rtsp_camera(
    *turns: Sequence[int], width: int = 96, height: int = 64, asked: list[str] | None = None
) -> Iterator[str]:
    """The address of a camera that gives each connection, in turn, frames of these greys, and then hangs up.

    Args:
        asked: gets the methods of the requests.
    """
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            for levels in turns:
                client, _ = server.accept()
                with client, suppress(OSError):
                    _answer(client, _units(levels, width, height), [] if asked is None else asked)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"rtsp://user:secret@127.0.0.1:{server.getsockname()[1]}/front"
    finally:
        server.close()
        thread.join(10)
