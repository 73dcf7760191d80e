#!/usr/bin/env bash
# A sweep through a real SLURM (slurmctld, slurmd, slurmdbd over MariaDB, munge) on this machine; one job is killed.
# As root, on Debian: apt-get install --no-install-recommends slurm-wlm slurmdbd mariadb-server munge
#   benchmarks/cluster/slurm_one_node.sh [FOLDER]     PYTHON=.venv/bin/python; ACCOUNTING=no leaves slurmdbd out
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$(realpath -m "${1:-$(mktemp -d)}")"
python="$(realpath -s "${PYTHON:-.venv/bin/python}")"
mkdir -p "$folder"/{state,spool,db,log}
export SLURM_CONF="$folder/slurm.conf"
source benchmarks/cluster/sweep.sh

daemons=()
start() { # NAME COMMAND…
  local name="$1"
  shift
  "$@" >"$folder/log/$name.out" 2>&1 &
  daemons+=($!)
}
stop() {
  scancel --user="$(id -un)" 2>/dev/null && sleep 2 # while slurmd can still end them
  kill "${daemons[@]}" 2>/dev/null || true
  sleep 2
  kill -KILL "${daemons[@]}" 2>/dev/null || true
}
trap stop EXIT
until_ok() { # SECONDS COMMAND…
  local tries=$(($1 * 4))
  shift
  for _ in $(seq "$tries"); do "$@" >/dev/null 2>&1 && return; sleep 0.25; done
  tail -n 5 "$folder"/log/*
  fail "never succeeded: $*"
}

began=$SECONDS
host="$(hostname -s)"
cores="$(env -u OMP_NUM_THREADS nproc)"
cat >"$folder/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
JobAcctGatherType=jobacct_gather/linux
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
if [ "${ACCOUNTING:-yes}" = yes ]; then
  cat >>"$folder/slurm.conf" <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
CONF
  cat >"$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
PidFile=$folder/slurmdbd.pid
LogFile=$folder/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
CONF
  chmod 600 "$folder/slurmdbd.conf"
fi

say "starting"
if ! munge -n >/dev/null 2>&1; then
  install -d -o munge -g munge -m 755 /run/munge
  runuser -u munge -- munged
  until_ok 10 munge -n
fi
if [ "${ACCOUNTING:-yes}" = yes ]; then
  mariadb-install-db --no-defaults --user=root --datadir="$folder/db" --auth-root-authentication-method=socket >"$folder/log/install-db.out" 2>&1
  start mariadb mariadbd --no-defaults --user=root --datadir="$folder/db" --socket="$folder/db.sock" --port=13306 \
    --bind-address=127.0.0.1 --innodb-buffer-pool-size=64M
  until_ok 30 mariadb --no-defaults --socket="$folder/db.sock" -e "select 1"
  mariadb --no-defaults --socket="$folder/db.sock" -e "create database if not exists slurm_acct;
    create user if not exists slurm@localhost identified by 'slurm'; create user if not exists slurm@'127.0.0.1' identified by 'slurm';
    grant all on slurm_acct.* to slurm@localhost; grant all on slurm_acct.* to slurm@'127.0.0.1'"
  start slurmdbd slurmdbd -D
  until_ok 30 sacctmgr --noheader list cluster
fi
start slurmctld slurmctld -D -c
start slurmd slurmd -D -N "$host"
until_ok 60 bash -c 'sinfo --noheader --states=idle | grep -q idle'
sinfo
echo "SLURM $(sinfo --version | cut -d" " -f2) was up after $((SECONDS - began)) s"

say "a sweep through it; one job is killed"
kill_one() { # the process of a job that runs, as the kernel does when memory runs out
  mid_way whole 1
  pid="$(pgrep -n -f "^[^ ]*python[^ ]* -u -m submitit.core._submit $folder")"
  say "killing: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
  kill -KILL "$pid"
}
kill_one &
sweep whole hydra/launcher=slurm && fail "the sweep should have told of the loss"
missing=$((N_JOBS - $(n_records whole)))
[ "$missing" -gt 0 ] || fail "nothing is missing"
say "the same command does the $missing that are missing"
sweep whole hydra/launcher=slurm
expect whole
say "done after $((SECONDS - began)) s"
