#!/bin/sh
# A machine without busybox cannot serve the template hello: who buys it is refused, and keeps the
# money. In a mount namespace of its own, where busybox is hidden.
#
# usage: no_busybox.sh PAYGRESS
set -eu
[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root, to hide a program"; exit 77; }
command -v bwrap >/dev/null || { echo "skipped: needs bubblewrap"; exit 77; }
if [ "${2-}" != hidden ]; then
  unshare --mount true 2>/dev/null || { echo "skipped: no mount namespaces here"; exit 77; }
  exec unshare --mount "$0" "$1" hidden
fi

for program in /usr/local/bin/busybox /usr/bin/busybox /bin/busybox; do
  [ ! -x "$program" ] || mount --bind /dev/null "$(readlink -f "$program")"
done
story=$("$1" demo --backend sandbox --json) && { echo "$story"; echo "it was sold"; exit 1; }
echo "$story"
echo "$story" | grep -q 'template_unsupported'
echo "$story" | grep -q 'The token was not touched'
