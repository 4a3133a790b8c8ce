#!/usr/bin/env bash
# Train and evaluate M, S and MS on KITTI with equal budgets: the same targets, networks, seed and number of steps.
#
#   benchmarks/modes.sh KITTI_RAW TRAIN_SPLIT TEST_SPLIT OUT [STEPS] [SIZE] [more options of train]
#
# The variable MONO holds options for M alone: its depth has no unit, so that it needs another --loss.near. POSE holds
# options for M and MS: S trains no pose network and refuses options for one.
# TRAIN_SPLIT lists frames that have a partner image. The errors of each mode are written to OUT/MODE.json; for S and MS,
# with and without median scaling.
set -euo pipefail
data=$1 train_split=$2 test_split=$3 out=$4 steps=${5:-2600} size=${6:-192x64}
more=("${@:7}")
read -ra mono <<<"${MONO:-}"
read -ra pose <<<"${POSE:-}"

selfdepth prepare "$data" --split "$train_split" --stereo --width "${size%x*}" --height "${size#*x}" --out "$out/store"
for mode in mono stereo mono-stereo; do
    options=(${more[@]+"${more[@]}"})
    [ "$mode" != mono ] || options+=(${mono[@]+"${mono[@]}"})
    [ "$mode" = stereo ] || options+=(${pose[@]+"${pose[@]}"})
    selfdepth train "$mode-$size" --data "$out/store" --out "$out/$mode" --steps "$steps" ${options[@]+"${options[@]}"}
    selfdepth evaluate depth "$out/$mode" --data "$data" --split "$test_split" --json "$out/$mode.json"
done
python "$(dirname "$0")/modes_table.py" "$out"
