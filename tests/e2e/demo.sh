#!/bin/sh
# Plays `paygress demo --json` on the sandbox backend: passes when it says that every step worked,
# the fail-over among them, and leaves no file behind.
#
# usage: demo.sh PAYGRESS
set -eu
[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root, for SSH and limits in the sandbox"; exit 77; }
command -v bwrap >/dev/null || { echo "skipped: needs bubblewrap"; exit 77; }

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
"$1" demo --backend sandbox --json >"$TMPDIR/story" || { cat "$TMPDIR/story"; exit 1; }
cat "$TMPDIR/story"
grep -q '^{"ok":true,' "$TMPDIR/story"
grep -q '"name":"look for the lost copies"' "$TMPDIR/story"
for left in "$TMPDIR"/paygress-dev-*; do
  [ ! -e "$left" ] || { echo "left behind: $left"; exit 1; }
done
