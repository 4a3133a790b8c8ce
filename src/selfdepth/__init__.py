"""selfdepth: depth and camera motion learned from video alone, without depth labels.

from selfdepth import Predictor
predictor = Predictor.load("runs/mine")
prediction = predictor.predict("street.jpg")      # .depth, .disparity, .scale, .camera
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["Camera", "DepthPrediction", "Predictor", "__version__", "load"]

if TYPE_CHECKING:
    from selfdepth.geometry.camera import Camera
    from selfdepth.inference.predictor import Predictor, load
    from selfdepth.structs import DepthPrediction

_HOMES = {
    "Camera": "selfdepth.geometry.camera",
    "DepthPrediction": "selfdepth.structs",
    "Predictor": "selfdepth.inference.predictor",
    "load": "selfdepth.inference.predictor",
}


def __getattr__(name: str) -> Any:
    # Imported when first asked for: `import selfdepth` and `selfdepth --help` do not wait for torch.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'selfdepth' has no attribute {name!r}")
