"""Write docs/reproduce.md from the package's record of the paper's tables.

python docs/write_reproduce.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from selfdepth.paper.tables import EXAMPLE_SCALE, ROWS, Row
from selfdepth.presets import FIRST_EPOCHS

FILE = Path(__file__).with_name("reproduce.md")

NOT_RUN = "not run here (needs KITTI)"
NOT_RUN_MAKE3D = "not run here (needs KITTI and Make3D)"
ONLY_THERE = "measured by KITTI's server only"

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
}

NOTES = {
    "3": """\
The model predicts from the middle of each image, 1704x852 pixels. The errors are those of the middle of the laser's
grid, 21 rows of 305 points, where the ground truth is below 70 m ("C1"). The published figures are disputed: others
measured .321, 3.379, 7.254 and .163 with published weights, which they attribute to a stereo model; one reports an
abs_rel of .556. Here log10 is the mean of |log10 truth - log10 prediction|; the paper does not define its figure
exactly.""",
    "8": """\
Every image is scaled by the median of all images' scales. The spread is the standard deviation of the images' scales
over that median; `selfdepth evaluate depth` prints it under this name.""",
    "9": f"""\
The server does not scale predictions. Depths learned from stereo pairs are multiplied by 5.4. For a monocular model
the paper took the median scale of 1,000 training images, which the first command measures: "scale: median of true /
predicted depth". Put it in place of {EXAMPLE_SCALE}; test images must not determine the scale. Then zip the files of
`benchmark/PRESET/kitti` without the folder. We do not know the size of the published models' input, or which images
they were trained on.""",
}

HEAD = f"""# The paper's tables, row by row

This page is written by `docs/write_reproduce.py`; change the script, not the page.

Each row of the tables of *Digging Into Self-Supervised Monocular Depth Estimation* (arXiv 1806.01260) has a preset,
the commands that train and evaluate it, and the published figures. `selfdepth presets` shows the same. M: monocular,
S: stereo pairs, MS: both. "No pt": from random weights. A dash stands for a figure that we do not know.

## What you need

- `kitti_raw`: KITTI raw, the folder that holds the dates, with `velodyne_points`. For Table 4 `kitti_odometry`, with
  `poses`; its MS rows need `image_3`, too.
- The published lists of frames, which are downloaded by name on first use (offline, name a folder that holds them):
  `eigen_zhou` for training with neighbours in time; `eigen_full` for pairs alone, which are all of Eigen's training
  frames, including those at standstill; `eigen` (697 frames) and `eigen_benchmark` (652 frames) for evaluation;
  `odom` for odometry. `selfdepth check kitti_raw --split eigen_zhou eigen` says whether your copy of KITTI has all
  frames in the lists.
- For Tables 7 and 8 `data_depth_annotated`: KITTI's improved depth maps, the unpacked archive of that name with its
  folders `train` and `val`. The 652 frames of the split are found in it by their names.
- For Table 3 `make3d`: Make3D's test images in `Test134`, and their depth in `Gridlaserdata`.
- For Table 9 `depth_selection`: the unpacked `data_depth_selection.zip` of KITTI's benchmark; and an account on its
  server.

A run that several rows share is trained only once.

## Two conventions

The presets `paper-*` follow the paper's conventions, all others the corrected ones. Each convention is an option of
every run.

| | paper | corrected (default) |
|---|---|---|
| camera | `--camera paper`: focal lengths 0.58 of the width and 1.92 of the height, \
principal point in the middle, for every date of KITTI | `--camera None`: the calibration of each date |
| stereo baseline | `--stereo nominal`: 0.1; depth times 5.4 is in metres | \
`--stereo calibrated`: the calibrated one, in metres |
| K at lower scales | `--loss.pixel-convention corner`: K / 2^s | \
`--loss.pixel-convention center`: the half-pixel rule |
| depth range | `--loss.near 0.1 --loss.far 100`, in units of that baseline | \
the same; from stereo pairs `--loss.near 0.5 --loss.start-depth 5`, in metres |
| learning rate | a tenth after 15 epochs, `--drop-after 15` | a tenth after 75 % of the budget |
| arithmetic | `--precision fp32` | `--precision auto` |

To train a row in corrected conventions, add their options after its preset:

```bash
selfdepth train paper-mono-640x192-no-ssim --camera None --loss.pixel-convention center --data kitti_raw --out runs/a
```

The remaining differences from the published method are listed in [architecture.md](architecture.md).

As published, the weights of the last step of each run are evaluated, not those of the best validation. Monocular
depths are scaled to the median of each image's ground truth; depths learned from stereo pairs are multiplied by 5.4
and not scaled. The 1024x320 models continue a 640x192 model of {FIRST_EPOCHS} epochs.
"""


def main() -> None:
    """Write the page."""
    FILE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page as Markdown."""
    return HEAD + "".join(part for tables in TITLES for part in _section(tables))


def _section(tables: str) -> Iterator[str]:
    rows = [row for row in ROWS if row.tables == tables]
    yield f"\n## {TITLES[tables]}\n\n"
    if tables in NOTES:
        yield f"{NOTES[tables]}\n\n"
    columns = ["row", "preset", *rows[0].figures.HEADS, "ours"]
    yield _line(columns) + _line(["---"] * 2 + ["--:"] * (len(columns) - 3) + ["---"])
    for row in rows:
        yield _line([row.name, f"`{row.preset}`", *row.figures.in_words(), _ours(row)])
    yield "\n```bash\n" + "\n".join(_commands(rows)) + "\n```\n"


def _ours(row: Row) -> str:
    return {"make3d": NOT_RUN_MAKE3D, "kitti's server": ONLY_THERE}.get(row.judged, NOT_RUN)


def _commands(rows: list[Row]) -> Iterator[str]:
    """The commands of all rows; one that several rows share is given at the first of them."""
    given: set[str] = set()
    for row in rows:
        yield f"# {row.name}"
        for command in (*row.train_commands(), *row.evaluate_commands()):
            if command not in given:
                given.add(command)
                yield command


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    main()
