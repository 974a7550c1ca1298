#!/usr/bin/env bash
# seeds.sh PAYGRESS-SIM COUNT JOBS FOLDER: sweeps seeds 1..COUNT of every scenario of `list`, and a
# thousand times as many of `failover`, whose histories are as much cheaper. One line
# a scenario; what is found is kept in FOLDER as small histories that `replay` runs again.
set -euo pipefail
program=$1 count=$2 jobs=$3 folder=$4

mapfile -t scenarios < <("$program" list | awk '{print $1}')
[[ ${#scenarios[@]} -gt 0 ]] || { echo "seeds ran nothing: no scenario listed" >&2; exit 1; }

bad=0
for scenario in "${scenarios[@]}"; do
  seeds=$count
  [[ $scenario == failover ]] && seeds=$((count * 1000))
  "$program" sweep "$scenario" --seeds "1..$seeds" --jobs "$jobs" --out "$folder" | tail -n 1 ||
    bad=1
done
exit $bad
