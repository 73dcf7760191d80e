#!/usr/bin/env bash
# The unit tests in an environment of its own: versions.sh lowest|newest [PYTHON].
#   lowest  the oldest releases of what pyproject.toml names
#   newest  the releases of today
# TORCH=torch==2.13.0+cpu pins a build: the lowest torch of an index without CPU builds brings gigabytes of CUDA.
# TORCH=none leaves it out, and with it every test module that needs it: for a Python without a CPU build.
# UV_FIND_LINKS=FOLDER adds a folder of wheels; KEEP=FOLDER keeps the environment there.
set -euo pipefail
cd "$(dirname "$0")/.."
resolution=${1:?lowest or newest}
python=${2:-python3}
torch=${TORCH:-}
folder=${KEEP:-$(mktemp -d)}
[ -n "${KEEP:-}" ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"

command -v uv >/dev/null || {
  python3 -m venv "$folder/uv"
  "$folder/uv/bin/pip" install --quiet --disable-pip-version-check uv
  PATH="$folder/uv/bin:$PATH"
}
case $resolution in
  # What old releases warn of in the newer ones beneath them is nothing to us.
  lowest) options=(--resolution lowest-direct) warnings=(-W ignore::DeprecationWarning -W ignore::FutureWarning) ;;
  newest) options=(--resolution highest) warnings=() ;;
  *) echo "versions.sh lowest|newest, not $resolution" >&2; exit 2 ;;
esac
uv venv --quiet --python "$python" "$folder/venv"
overrides=()
[ -z "$torch" ] || [ "$torch" = none ] || overrides+=("$torch")
# The one that the extra static allows needs huggingface-hub 1, and so transformers 5: with it, nothing older would be tried.
# No unit test asks for its vectors.
[ "$resolution" != lowest ] || overrides+=("model2vec==0.6.0")
if [ "${#overrides[@]}" -gt 0 ]; then
  printf '%s\n' "${overrides[@]}" >"$folder/overrides.txt"
  options+=(--override "$folder/overrides.txt")
fi
# Compiled first, and installed as it stands, so that torch can be left out.
uv pip compile --quiet --no-header --no-annotate "${options[@]}" --python "$folder/venv/bin/python" \
  --extra demo --extra dev pyproject.toml >"$folder/all.txt"
if [ "$torch" = none ]; then
  grep -Ev '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==' "$folder/all.txt" >"$folder/packages.txt"
else
  cp "$folder/all.txt" "$folder/packages.txt"
fi
VIRTUAL_ENV="$folder/venv" uv pip install --quiet --no-deps --requirement "$folder/packages.txt"

without=()
if [ "$torch" = none ]; then
  while read -r module; do without+=("--ignore=$module"); done < <(
    for module in tests/test_*.py; do
      "$folder/venv/bin/python" -c "import importlib, sys; importlib.import_module(sys.argv[1])" \
        "tests.$(basename "$module" .py)" 2>/dev/null || echo "$module"
    done
  )
  echo "left out without torch: ${without[*]/#--ignore=/}"
fi
PYTHONPATH=$PWD OMP_NUM_THREADS=1 "$folder/venv/bin/python" -m pytest -m unit -p no:cacheprovider "${warnings[@]}" "${without[@]}"
