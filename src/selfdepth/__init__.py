"""selfdepth: depth and camera motion learned from video alone, without depth labels.

from selfdepth import Predictor
predictor = Predictor.load("runs/mine")
prediction = predictor.predict("street.jpg")      # .depth, .disparity, .scale, .camera
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

__all__ = ["Camera", "DepthPrediction", "Predictor", "__version__", "load"]

if TYPE_CHECKING:
    from selfdepth.geometry.camera import Camera
    from selfdepth.inference.predictor import Predictor, load
    from selfdepth.structs import DepthPrediction

_MODULES = {
    "Camera": "selfdepth.geometry.camera",
    "DepthPrediction": "selfdepth.structs",
    "Predictor": "selfdepth.inference.predictor",
    "load": "selfdepth.inference.predictor",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: `import selfdepth` and `selfdepth --help` must not wait for torch.
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'selfdepth' has no attribute {name!r}")
