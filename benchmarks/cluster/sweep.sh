# What the checks of this folder share: a sweep of small runs. Expects $python and $folder.

RATIOS="${RATIOS:-ir5,ir2}" # ir5 alone: half as many runs
commas="${RATIOS//[^,]/}"
N_JOBS=$((4 * (${#commas} + 1)))
export OMP_NUM_THREADS=1

say() { printf '\n== %(%H:%M:%S)T %s\n' -1 "$*"; }
fail() { say "FAILED: $*"; exit 1; }

sweep() { # NAME ARGUMENTS…: 4 augmenters at each ratio over made-up texts and a toy encoder of the tests
  local name="$1"
  shift
  "$python" -m synaug --multirun --config-dir="$PWD/tests/conf" dataset=files "dataset.path=$folder/texts.csv" \
    dataset.text=body dataset.label=topic encoder=toy n_folds=4 max_steps="${STEPS:-6000}" \
    augmenter=none,random,smote,adasyn "imbalance_ratio=$RATIOS" name="$name" \
    "output_dir=$folder/multirun" "cache_dir=$folder/cache" trainer.enable_progress_bar=false "$@" 2>&1 |
    { grep --line-buffered -v "_run_job\|srun\|faiss\|^  - On\|^    \|^!" || true; }
  local code="${PIPESTATUS[0]}"
  echo "exit code $code"
  return "$code"
}

n_records() { find "$folder/multirun/$1" -name record.json 2>/dev/null | wc -l; }

n_running() { grep -l '"started"' "$folder/multirun/$1"/.sweep-*/*.json 2>/dev/null | wc -l; }
mid_way() { until [ "$(n_records "$1")" -ge 2 ] && [ "$(n_running "$1")" -ge "$2" ]; do sleep 0.1; done; sleep 2; } # NAME RUNNING

expect() { # NAME: all recorded, each once, and one table of all
  "$python" - "$folder/multirun/$1" "$N_JOBS" <<'PYTHON'
import sys

from synaug.comparison.load import load

frame = load(sys.argv[1])
runs = frame["run"].nunique()
assert runs == int(sys.argv[2]), runs
assert not frame.duplicated(["run", "seed", "fold", "decision", "metric", "class"]).any()
print(f"one table: {runs} runs, {len(frame)} scores, none twice")
PYTHON
}

"$python" -c "
from pathlib import Path
from tests import toy
toy.write_csv(Path('$folder/texts.csv'), *toy.texts(60))"
