"""`selfdepth app`: a page on which a photo or a video can be dropped to see its depth."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from selfdepth.cli.evaluating import require_use_of_predictions_are, stated_model
from selfdepth.cli.printing import say
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError, SelfDepthWarning


@dataclass(frozen=True, kw_only=True)
class AppArgs:
    """Serve a page on which a photo or a video can be dropped to see its depth.

    The page shows depth beside the photo, points to turn, distances between two clicks if MODEL knows metres, and gives
    the files that `predict` writes. It calls no other host, and removes what visitors gave when they leave, and at the
    end. It needs `pip install 'selfdepth[app]'`.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), or Hugging Face hub name."""
    predictions_are: Quantity | None = None
    """What MODEL gives, if it is an ONNX file that selfdepth export did not write: disparity, depth or depth-metres."""
    network_takes: str | None = None
    """The images that such a MODEL takes, where its file does not say it: WIDTHxHEIGHT; imagenet, unit, symmetric or
    bytes (0 to 255), with -bgr for blue first; or both: 518x518,imagenet-bgr."""
    host: str = "127.0.0.1"
    """Address to bind to. The default lets only this machine in; 0.0.0.0 lets in everybody who can reach it, without
    a password."""
    port: int | None = None
    """Port to bind to; 0 is any free one. Default: the first free one from 7860."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks. auto: bf16 where the device is faster in it."""


def app(args: AppArgs) -> None:
    """Run the verb: read MODEL, and serve the page until Ctrl-C.

    Raises:
        SelfDepthError: for an invalid model or device, an address that cannot be bound, or if gradio is missing.
    """
    require_use_of_predictions_are(args.model, None, args.predictions_are, args.network_takes)
    if args.port is not None and not 0 <= args.port <= 65535:
        raise ConfigError("option out of range", where="--port", expected="0 to 65535", got=str(args.port))
    from selfdepth.app.library import require_gradio

    require_gradio()
    from selfdepth.app.server import is_loopback, serve
    from selfdepth.inference.predict import load_ready

    ready = load_ready(stated_model(args), (), device=args.device, precision=args.precision)
    if not is_loopback(args.host):
        warnings.warn(
            f"everybody who can reach {args.host} can use the page; there is no password",
            SelfDepthWarning,
            stacklevel=2,
        )
    serve(ready, host=args.host, port=args.port, say=_say_at_once)


def _say_at_once(sentence: str) -> None:
    say(sentence)
    sys.stdout.flush()  # a pipe would keep the address to itself until the end
