"""Writes docs/reproduce.md from the paper's tables in selfdepth.paper.

python docs/write_reproduce.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from selfdepth.paper.tables import EXAMPLE_SCALE, ROWS, Row
from selfdepth.paper.tables_v1 import TABLE, V1_ROWS
from selfdepth.presets import FIRST_EPOCHS

FILE = Path(__file__).with_name("reproduce.md")

NOT_RUN = "not run here (needs KITTI)"
NOT_RUN_MAKE3D = "not run here (needs KITTI and Make3D)"
NOT_RUN_SERVER = "not run here (needs KITTI's server)"

TITLES = {
    "1": "Table 1: the models",
    "2, 6, 12": "Tables 2, 6 and 12: what each part contributes",
    "6": "Table 6: a deeper encoder",
    "3": "Table 3: Make3D",
    "4": "Table 4: odometry",
    "7": "Table 7: the improved ground truth",
    "8": "Table 8: one scale for all images",
    "9": "Table 9: KITTI's server",
    "10": "Table 10: averaged with the mirrored image",
    TABLE: "The predecessor: Monodepth v1",
}

NOTES = {
    "3": """\
The model sees the middle of each image, 1704x852 pixels. Errors are computed on the same part of the laser's grid, 21
of its 55 rows with 305 columns, where the ground truth is below 70 m ("C1"). The published figures are disputed: others
measured .321, 3.379, 7.254 and .163 with published weights that they attribute to a stereo model; one reports an
abs_rel of .556. log10 is the mean of |log10 ground truth - log10 prediction| here; the paper does not define its
figure.""",
    "8": """\
Every prediction is multiplied by the median of all images' scales. The spread is the standard deviation of those scales
divided by that median, as `selfdepth evaluate depth` prints it.""",
    "9": f"""\
The server does not scale predictions. Depths learned from stereo pairs are multiplied by 5.4. For a monocular model the
paper used the median scale of 1,000 training images. The first command measures it and prints "scale: median of true /
predicted depth"; put it in place of {EXAMPLE_SCALE}. The test images themselves must not provide the scale. Then zip
the files in `benchmark/PRESET/kitti`, without the folder. We do not know the image size and the training images of the
published models.""",
    TABLE: """\
Table 2 of *Unsupervised Monocular Depth Estimation with Left-Right Consistency* (arXiv 1609.03677). The preset is the
paper's ResNet-50 trained on KITTI alone, in metres. None of the published figures is for that network on that data: the
VGG-like network is not built here, and Cityscapes is not read. [kitti.md](kitti.md#monodepth-v1) lists how the preset
differs from the paper. Depths are neither scaled nor multiplied.""",
}

HEAD = f"""# The paper's tables, row by row

`docs/write_reproduce.py` writes this page; edit the script, not the page.

Each row of the tables of *Digging Into Self-Supervised Monocular Depth Estimation* (arXiv 1806.01260) has a preset, the
commands that train and evaluate it, and the published figures. `selfdepth presets` shows the same.
M: monocular, S: stereo pairs, MS: both. "No pt": trained from random weights. A dash: we do not know the figure.

## What you need

- `kitti_raw`: KITTI raw, the folder with one folder per date, including `velodyne_points`.
- For Table 4, `kitti_odometry`: KITTI odometry with `poses`. The MS rows also need `image_3`.
- The published splits. They are downloaded by name on first use; offline, pass a folder that holds them. `eigen_zhou`
  is for training with temporal neighbours. `eigen_full`, all of Eigen's training frames including the stationary
  ones, is for training with stereo pairs alone. `eigen` (697 frames) and `eigen_benchmark` (652 frames) are for
  evaluation, `odom` is for odometry. `selfdepth check kitti_raw --split eigen_zhou eigen` tells whether your copy of
  KITTI is complete.
- For Tables 7 and 8, `data_depth_annotated`: KITTI's improved depth maps, the unpacked archive of that name with its
  folders `train` and `val`. The 652 frames of the split are looked up in it by name.
- For Table 3, `make3d`: Make3D's test images in `Test134`, and their depth in `Gridlaserdata`.
- For Table 9, `depth_selection`: the unpacked `data_depth_selection.zip` of KITTI's benchmark, and an account there.

A run that several rows share needs training only once.

## Two conventions

The `paper-*` presets follow the paper's conventions, all others the corrected ones. Each convention is an option that
any run can take.

| | paper | corrected (default) |
|---|---|---|
| camera | `--camera paper`: focal lengths 0.58 of the width and 1.92 of the height, \
principal point in the middle, for every date of KITTI | `--camera None`: the calibration of each date |
| stereo baseline | `--stereo nominal`: 0.1; depth times 5.4 is in metres | \
`--stereo calibrated`: as measured, in metres |
| K at lower scales | `--loss.pixel-convention corner`: K / 2^s | \
`--loss.pixel-convention center`: the half-pixel rule |
| depth range | `--loss.near 0.1 --loss.far 100`, in units of that baseline | \
the same; from stereo pairs `--loss.near 0.5 --loss.start-depth 5`, in metres |
| learning rate | drops to a tenth after 15 epochs, `--drop-after 15` | drops to a tenth after 75 % of the budget |
| arithmetic | `--precision fp32` | `--precision auto` |

To run a row in the corrected conventions, add their options after the preset:

```bash
selfdepth train paper-mono-640x192-no-ssim --camera None --loss.pixel-convention center --data kitti_raw --out runs/a
```

[architecture.md](architecture.md) lists the remaining differences from the published method.

The evaluated weights are those of the last step, as published, not those with the best validation. Monocular depths are
scaled to the median of each image's ground truth. Depths learned from stereo pairs are multiplied by 5.4 and not
scaled. The 1024x320 models continue a 640x192 model that was trained for {FIRST_EPOCHS} epochs.
"""


def main() -> None:
    """Write the file."""
    FILE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The whole page."""
    return HEAD + "".join(part for tables in TITLES for part in _section(tables))


def _section(tables: str) -> Iterator[str]:
    rows = [row for row in (*ROWS, *V1_ROWS) if row.tables == tables]
    yield f"\n## {TITLES[tables]}\n\n"
    if tables in NOTES:
        yield f"{NOTES[tables]}\n\n"
    columns = ["row", "preset", *rows[0].figures.HEADS, "ours"]
    yield _line(columns) + _line(["---"] * 2 + ["--:"] * (len(columns) - 3) + ["---"])
    for row in rows:
        yield _line([row.name, f"`{row.preset}`", *row.figures.cells(), _ours(row)])
    yield "\n```bash\n" + "\n".join(_commands(rows)) + "\n```\n"


def _ours(row: Row) -> str:
    return {"make3d": NOT_RUN_MAKE3D, "kitti's server": NOT_RUN_SERVER}.get(row.judged, NOT_RUN)


def _commands(rows: list[Row]) -> Iterator[str]:
    done: set[str] = set()
    for row in rows:
        yield f"# {row.name}"
        for command in (*row.train_commands(), *row.evaluate_commands()):
            if command not in done:
                done.add(command)
                yield command


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
