#!/usr/bin/env bash
# fresh.sh REPOSITORY [--keep] [--dir DIRECTORY] [--cache DIRECTORY] [-- COMMAND...]
#
# Builds a minimal Debian 12, clones REPOSITORY (its last commit) into it, and runs the README's two
# commands there. Everything that is mounted, and every process, lives in a mount and a process
# namespace of its own: both are gone when this ends, however it ends. The rest is rm.
set -euo pipefail
readonly suite=bookworm
readonly debian_keyring=debian-archive-keyring
readonly home=root checkout=srv/paygress  # inside the tree

say() { printf '==> fresh: %s\n' "$*" >&2; }
die() { printf 'fresh: %s\n' "$*" >&2; exit 1; }

# ------------------------------------------------ what this machine knows about the network

# Prints the machine's own apt entries for this suite of Debian; nothing for other distributions.
host_sources_822() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    awk -v RS= -v suite="$suite" -v keyring="$debian_keyring" '
      $0 ~ "(^|\n)Suites:[^\n]*" suite && /(^|\n)Components:[^\n]*main/ &&
      ($0 ~ keyring || !/(^|\n)Signed-By:/) && !/(^|\n)Enabled: *no/ {print $0 "\n"}' "$file"
  done
}

host_sources_list() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $file ]] || continue
    awk -v suite="$suite" -v keyring="$debian_keyring" '
      $1 == "deb" {
        line = $0; signed = line ~ /signed-by/
        sub(/\[[^]]*\] */, "")
        if ($3 ~ "^" suite && / main/ && (!signed || line ~ keyring)) print line
      }' "$file"
  done
}

# The first address of the suite itself; nothing where this machine names none: debootstrap has a
# default.
host_mirror() {
  local mirror
  mirror=$(
    host_sources_822 | awk -v RS= -v suite="$suite" '
      $0 ~ "(^|\n)Suites:[^\n]*[ \t]" suite "([ \t\n]|$)" {
        if (match($0, /(^|\n)URIs:[ \t]*[^ \t\n]+/)) {
          uri = substr($0, RSTART, RLENGTH); sub(/^\n?URIs:[ \t]*/, "", uri); print uri
        }
      }'
    host_sources_list | awk -v suite="$suite" '
      {sub(/\[[^]]*\] */, "")} $3 == suite {print $2}'
  )
  mirror=${mirror%%$'\n'*}
  if [[ $mirror == mirror+file:* ]]; then
    mirror=$(grep -m 1 -oE 'https?://[^[:space:]]+' "${mirror#mirror+file:}" || true)
  fi
  echo "${mirror%/}"
}

copy_in() {  # FILE... : those that exist, at the same place
  local file
  for file in "$@"; do
    [[ -e $file ]] || continue
    mkdir -p "$tree$(dirname -- "$file")"
    cp -rL --preserve=mode "$file" "$tree$file"
  done
}

copy_settings() {  # FILE... : those that root has below its home, to the home in the tree
  local file
  for file in "$@"; do
    [[ -e ~root/$file ]] || continue
    mkdir -p "$tree/$home/$(dirname -- "$file")"
    cp -L --preserve=mode ~root/"$file" "$tree/$home/$file"
  done
}

copy_network_settings() {
  copy_in /etc/resolv.conf /etc/hosts /usr/local/share/ca-certificates /etc/apt/mirrors
  copy_in /etc/ssl/certs/ca-certificates.crt  # until the package makes its own
  copy_in /etc/npmrc /usr/etc/npmrc /etc/pip.conf
  copy_settings .npmrc .config/pip/pip.conf .pip/pip.conf
  apt-config dump | grep -E '^Acquire::(http|https)::' | grep -viE 'Auto-?Detect' \
    >"$tree/etc/apt/apt.conf.d/90network" || true

  local sources list
  sources=$(host_sources_822) list=$(host_sources_list)
  [[ -n $sources || -n $list ]] || return 0  # what debootstrap wrote is right
  printf '%s\n' "$sources" >"$tree/etc/apt/sources.list.d/host.sources"
  printf '%s\n' "$list" >"$tree/etc/apt/sources.list"
}

# Variables that name a proxy or a certificate bundle, as arguments for env.
network_environment() {
  local name
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    NODE_EXTRA_CA_CERTS SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT CURL_CA_BUNDLE; do
    if [[ -n ${!name-} ]]; then printf '%s=%s\n' "$name" "${!name}"; fi
  done
}

# ------------------------------------------------------------------------------- inside

# Runs in the namespaces: mounts, then the commands.
inside() {
  local command status=0 started environment
  mount --bind "$tree" "$tree"  # bubblewrap wants its root to be a mount of its own
  mount -t proc proc "$tree/proc"
  mount --rbind /sys "$tree/sys"  # the cgroups come with it
  mount --rbind /dev "$tree/dev"  # and /dev/pts with this
  if [[ -n $cache ]]; then mount --bind "$cache" "$tree/var/cache/apt/archives"; fi
  mapfile -t environment < <(network_environment)
  for command in "$@"; do
    started=$SECONDS
    say "running: $command"
    chroot "$tree" /usr/bin/env -i HOME="/$home" TERM="${TERM:-dumb}" "${environment[@]}" \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      /bin/bash -c "cd /$checkout && $command" </dev/null || status=$?
    say "$command: status $status after $((SECONDS - started)) s"
    [[ $status -eq 0 ]] || return "$status"
  done
}

# ------------------------------------------------------------------------------- outside

leave() {
  local status=$?
  trap - EXIT
  if [[ $keep -eq 1 ]]; then
    say "kept in $tree"
  else
    # Nothing is mounted below the tree out here; should that ever be untrue, rm stops there.
    rm -rf --one-file-system "$tree"
  fi
  exit "$status"
}

build_debian() {
  local started=$SECONDS mirror arguments=(--variant=minbase)
  mirror=$(host_mirror)
  [[ -n $cache ]] && arguments+=(--cache-dir="$cache")
  say "building a minimal Debian 12 in $tree"
  debootstrap "${arguments[@]}" "$suite" "$tree" ${mirror:+"$mirror"} >"$tree.log" 2>&1 \
    </dev/null ||
    { tail -n 20 "$tree.log" >&2; die "debootstrap failed"; }
  rm -f "$tree.log"
  # No service may start because a package was installed.
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod 755 "$tree/usr/sbin/policy-rc.d"
  copy_network_settings
  say "built in $((SECONDS - started)) s"
}

clone_repository() {
  # The repository may belong to the user who called sudo: git wants to be told that this is fine.
  local git_home=$tree/tmp/git-home
  mkdir -p "$git_home"
  printf '[safe]\n\tdirectory = *\n' >"$git_home/.gitconfig"
  HOME=$git_home git clone -q --no-hardlinks "$repository" "$tree/$checkout"
  [[ -z $(HOME=$git_home git -C "$repository" status --porcelain) ]] ||
    say "note: changes that are not committed are not in the clone"
  rm -rf "$git_home"
}

readme_commands() { grep -oE '^\./dev (demo|test)$' "$repository/README.md"; }

if [[ ${1-} == --inside ]]; then
  # Called again by itself, in the namespaces.
  tree=$2 cache=$3
  shift 3
  inside "$@"
  exit
fi

[[ $EUID -eq 0 ]] || die "needs root"
repository=$1 keep=0 cache='' parent=/var/tmp commands=()
shift
while [[ $# -gt 0 ]]; do
  case $1 in
    --keep) keep=1 ;;
    --dir) parent=${2:?--dir needs a directory}; shift ;;
    --cache) cache=$(readlink -f -- "${2:?--cache needs a directory}"); shift ;;
    --) shift; commands=("$*"); break ;;
    *) die "unknown argument '$1' (see ./dev fresh --help)" ;;
  esac
  shift
done
if [[ ${#commands[@]} -eq 0 ]]; then
  mapfile -t commands < <(readme_commands)
  [[ ${#commands[@]} -eq 2 ]] || die "README.md names ${#commands[@]} commands, not two"
fi

tree=$(mktemp -d "$parent/paygress-fresh.XXXXXX")
chmod 755 "$tree"
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
build_debian
clone_repository
unshare --mount --propagation private --pid --fork --kill-child \
  "${BASH_SOURCE[0]}" --inside "$tree" "$cache" "${commands[@]}"
say "passed in $SECONDS s"
