#!/usr/bin/env bash
# seeds.sh PAYGRESS-SIM COUNT JOBS: runs seeds 1..COUNT of every scenario that `list` names, JOBS at
# a time. Prints one line a scenario, and for each failing seed the command that shows it again.
set -euo pipefail
program=$1 count=$2 jobs=$3

mapfile -t scenarios < <("$program" list | awk '{print $1}')
[[ ${#scenarios[@]} -gt 0 ]] || { echo "seeds ran nothing: no scenario listed" >&2; exit 1; }

run_one() {
  local code=0
  "$program" run "$1" --seed "$2" >/dev/null 2>&1 </dev/null || code=$?
  [[ $code -eq 0 ]] || { echo "FAILED  $program run $1 --seed $2 (status $code)"; return 1; }
}
export -f run_one
export program

bad=0
for scenario in "${scenarios[@]}"; do
  started=$SECONDS
  if seq "$count" | xargs -n 1 -P "$jobs" bash -c 'run_one "$0" "$1"' "$scenario"; then
    printf '    %-32s %s seeds, %s s\n' "$scenario" "$count" "$((SECONDS - started))"
  else
    bad=1
  fi
done
exit $bad
