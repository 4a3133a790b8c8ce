"""The yardstick's loader: it decodes, resizes, jitters and converts the images of a clip each time the clip is used."""

from __future__ import annotations

import random
from pathlib import Path

import torch
import torchvision.transforms.functional as TF
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from plain import N_SCALES


class PlainClips(Dataset):
    """Clips (target, previous, next) of a folder of images.

    Args:
        files: consecutive frames.
        width, height: training size in pixels.
        K: intrinsics at that size.
    """

    def __init__(self, files: list[Path], *, width: int, height: int, K: Tensor) -> None:
        self.files, self.width, self.height, self.K = files, width, height, K

    def __len__(self) -> int:
        return len(self.files) - 2

    def __getitem__(self, index: int) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Clean and jittered views ("3 3 h/2^s w/2^s", target first) at four scales, and K ("4 4")."""
        flip, jitter = random.random() < 0.5, draw_jitter() if random.random() < 0.5 else []
        clean: list[list[Tensor]] = [[] for _ in range(N_SCALES)]
        jittered: list[list[Tensor]] = [[] for _ in range(N_SCALES)]
        for offset in (0, -1, 1):
            with Image.open(self.files[index + 1 + offset]) as file:
                image = file.convert("RGB")
            if flip:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            # Each scale from the one before, which is the usual way and cheaper than from the whole image.
            for s in range(N_SCALES):
                image = image.resize((self.width >> s, self.height >> s), Image.Resampling.LANCZOS)
                clean[s].append(TF.to_tensor(image))
                jittered[s].append(TF.to_tensor(apply_jitter(image, jitter)))
        K = torch.eye(4)
        K[:3, :3] = self.K
        if flip:
            K[0, 2] = self.width - 1 - K[0, 2]
        return [torch.stack(views) for views in clean], [torch.stack(views) for views in jittered], K


def draw_jitter() -> list[tuple[str, float]]:
    """Draw the four changes of colour in a random order, each with its amount; once for all images of a clip."""
    drawn = [(name, random.uniform(0.8, 1.2)) for name in ("brightness", "contrast", "saturation")]
    drawn.append(("hue", random.uniform(-0.1, 0.1)))
    random.shuffle(drawn)
    return drawn


def apply_jitter(image: Image.Image, changes: list[tuple[str, float]]) -> Image.Image:
    """Change an image's colours."""
    for name, amount in changes:
        image = getattr(TF, f"adjust_{name}")(image, amount)
    return image


def plain_loader(clips: PlainClips, *, batch_size: int, workers: int) -> DataLoader:
    """Shuffled batches from `workers` processes, or from this process if 0."""
    return DataLoader(clips, batch_size, shuffle=True, num_workers=workers, drop_last=True, pin_memory=False)
