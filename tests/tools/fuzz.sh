#!/usr/bin/env bash
# fuzz.sh TREE SECONDS JOBS: runs every TREE/bin/fuzz_* for its share of SECONDS, JOBS at a time.
#
# A target starts from the corpus in the tree (fuzz/corpus/TARGET, read only) and grows its own in
# TREE/corpus/TARGET. What makes it fail is kept in TREE/findings/TARGET-*. Exits 1 on findings.
set -euo pipefail
tree=$1 seconds=$2 jobs=$3
source_corpus=$(dirname -- "$(readlink -f -- "$0")")/../../fuzz/corpus
readonly input_seconds_max=20 memory_mb_max=2048

targets=()
for program in "$tree"/bin/fuzz_*; do
  if [[ -x $program ]]; then targets+=("${program##*/fuzz_}"); fi
done
[[ ${#targets[@]} -gt 0 ]] || { echo "fuzz ran nothing: no $tree/bin/fuzz_*" >&2; exit 1; }

share=$((seconds * jobs / ${#targets[@]}))
((share < 1)) && share=1
echo "==> ${#targets[@]} fuzz targets, $share s each, $jobs at a time" >&2
mkdir -p "$tree/findings" "$tree/logs"

fuzz_one() {
  local target=$1 own=$tree/corpus/$1 code=0 corpora
  mkdir -p "$own"
  corpora=("$own")
  [[ -d $source_corpus/$target ]] && corpora+=("$source_corpus/$target")
  "$tree/bin/fuzz_$target" -max_total_time="$share" -timeout="$input_seconds_max" \
    -rss_limit_mb="$memory_mb_max" -print_final_stats=1 \
    -artifact_prefix="$tree/findings/$target-" "${corpora[@]}" \
    >"$tree/logs/$target.log" 2>&1 </dev/null || code=$?
  local runs
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$tree/logs/$target.log")
  if [[ $code -eq 0 ]]; then
    printf '    %-24s %s runs\n' "$target" "${runs:-0}"
    return 0
  fi
  tail -n 30 "$tree/logs/$target.log"
  printf 'FAILED  %s: status %s, whole log in %s; to see it again:\n' "$target" "$code" \
    "$tree/logs/$target.log"
  local found
  for found in "$tree/findings/$target-"*; do
    if [[ -e $found ]]; then printf '    %s %s\n' "$tree/bin/fuzz_$target" "$found"; fi
  done
  return 1
}
export -f fuzz_one
export tree source_corpus share input_seconds_max memory_mb_max

if printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$jobs" bash -c 'fuzz_one "$1"' fuzz_one; then
  echo "==> fuzz: nothing found" >&2
else
  exit 1
fi
