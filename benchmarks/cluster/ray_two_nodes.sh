#!/usr/bin/env bash
# A sweep over two real Ray nodes on this machine; one node dies midway. About 3 minutes. Needs an environment with Ray:
#   pip install --constraint benchmarks/cluster/constraints-ray.txt '.[ray]'
#   benchmarks/cluster/ray_two_nodes.sh [FOLDER]     PYTHON=.venv/bin/python
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$(realpath -m "${1:-$(mktemp -d)}")"
python="$(realpath -s "${PYTHON:-.venv/bin/python}")"
ray="$(dirname "$python")/ray"
port="${PORT:-6399}"
address="127.0.0.1:$port"
mkdir -p "$folder"
# The token keeps others of this machine out of the cluster. Two nodes of one machine share a session folder otherwise.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0
RAY_AUTH_TOKEN="$(head -c 24 /dev/urandom | base64 | tr -d '+/=')"
source benchmarks/cluster/sweep.sh

nodes=()
stop() {
  for pid in "${nodes[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  wait "${nodes[@]}" 2>/dev/null || true
}
trap stop EXIT
node() { # NAME ARGUMENTS…: one node in the foreground of a process group of its own, with one core
  local name="$1"
  shift
  (cd / && exec setsid "$ray" start --block --num-cpus=1 --object-store-memory=100000000 \
    --temp-dir="$folder/ray-$name" "$@") >"$folder/node-$name.log" 2>&1 &
  nodes+=($!)
}
nodes_alive() {
  "$python" -c "import ray; ray.init('$address', logging_level='ERROR'); print(sum(n['Alive'] for n in ray.nodes()))"
}

say "two nodes"
node head --head --node-ip-address=127.0.0.1 --port="$port" --include-dashboard=false
for _ in $(seq 60); do "$python" -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null && break; sleep 0.5; done
second() {
  node second --address="$address"
  for _ in $(seq 30); do [ "$(nodes_alive)" = 2 ] && break; sleep 1; done
  echo "nodes alive: $(nodes_alive)"
}
second

launcher=(hydra/launcher=ray_cluster "hydra.launcher.ray.init.address=$address")
tree() { # PID: it and all that it started; workers have process groups of their own
  echo "$1"
  for child in $(pgrep -P "$1"); do tree "$child"; done
}
kill_second() { # NAME: with a job on each: the node with all of its processes, as when a machine loses its power
  mid_way "$1" 2
  # shellcheck disable=SC2046
  kill -KILL $(tree "${nodes[-1]}")
  say "killed the second node"
}

say "a sweep over both; the second node dies, and Ray is told not to try again"
kill_second whole &
killer=$!
sweep whole "${launcher[@]}" +hydra.launcher.ray.remote.max_retries=0 && fail "the sweep should have told of the loss"
wait "$killer"
missing=$((N_JOBS - $(n_records whole)))
[ "$missing" -gt 0 ] || fail "nothing is missing"
say "the same command does the $missing that are missing"
sweep whole "${launcher[@]}"
expect whole
say "the second node comes and dies again, and Ray tries again as it does by itself"
second
kill_second retried &
killer=$!
sweep retried "${launcher[@]}"
wait "$killer"
expect retried
say "done"
