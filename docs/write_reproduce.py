"""Writes docs/reproduce.md from what the package knows about the paper's tables.

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
ONLY_THERE = "only to be had from KITTI's server"

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
The model predicts from the middle of each image, 1704x852 pixels; errors are those of the same middle of the laser's
grid, 21 rows of 305, where the truth is below 70 m ("C1"). The published figures are disputed: others measured .321,
3.379, 7.254 and .163 with published weights, which they call a stereo model's; one reports an abs_rel of .556. log10 is
the mean of |log10 truth - log10 prediction| here; the paper does not say what its figure is exactly.""",
    "8": """\
Every image at the median of all images' scales. The spread is the standard deviation of the images' scales over that
median; `selfdepth evaluate depth` shows it as such.""",
    "9": f"""\
The server scales nothing. Depths learned from stereo pairs are multiplied by 5.4. For a monocular model the paper took
the median over 1,000 training images, which the first command measures: "scale: median of true / predicted depth". Put
it in place of {EXAMPLE_SCALE}. Test images must not give the scale. Then zip the files of `benchmark/PRESET/kitti`
without the folder. At what size the published models saw the images, and which images they learned from, is not known
to us.""",
}

HEAD = f"""# The paper's tables, row by row

Written by `docs/write_reproduce.py`; change that, not this.

Each row of the tables of *Digging Into Self-Supervised Monocular Depth Estimation* (arXiv 1806.01260) has a preset, the
commands that train and measure it, and the figure that was published. `selfdepth presets` shows the same.
M: monocular, S: stereo pairs, MS: both. "No pt": from random weights. A dash is a figure that is not known to us.

## What you need

- `kitti_raw`: KITTI raw, the folder of the dates, with `velodyne_points`. For Table 4 `kitti_odometry`, with `poses`;
  its MS rows need `image_3` too.
- The published lists of frames, which are downloaded by name on first use (offline, name a folder that holds them):
  `eigen_zhou` for training with neighbours in time; `eigen_full`, all of Eigen's training frames with those of
  standstill, for pairs alone; `eigen` (697 frames) and `eigen_benchmark` (652 frames) for measuring; `odom` for
  odometry. `selfdepth check kitti_raw --split eigen_zhou eigen` says whether your copy of KITTI has all that they name.
- For Tables 7 and 8 `data_depth_annotated`: KITTI's improved depth maps, the unpacked archive of that name with its
  folders `train` and `val`. The 652 frames of the split are found in it by their names.
- For Table 3 `make3d`: Make3D's test images in `Test134`, and their depth in `Gridlaserdata`.
- For Table 9 `depth_selection`: the unpacked `data_depth_selection.zip` of KITTI's benchmark; and an account there.

Runs that several rows share need to be trained once.

## Two conventions

The presets `paper-*` are in the paper's conventions, all others in the corrected ones. Each is an option that any run
can take.

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
| learning rate | a tenth after 15 epochs, `--drop-after 15` | a tenth after 75 % of the budget |
| arithmetic | `--precision fp32` | `--precision auto` |

For a row in corrected conventions, write the other values behind its preset:

```bash
selfdepth train paper-mono-640x192-no-ssim --camera None --loss.pixel-convention center --data kitti_raw --out runs/a
```

What still differs from the published method is listed in [architecture.md](architecture.md).

Of each run the weights of its last step are measured, as published, not those of the best validation. Monocular depths
are scaled by the median of each image's ground truth; depths learned from stereo pairs are multiplied by 5.4, and not
scaled. The 1024x320 models continue a 640x192 model of {FIRST_EPOCHS} epochs.
"""


def main() -> None:
    """Write the file."""
    FILE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The whole page."""
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
