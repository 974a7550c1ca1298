#!/usr/bin/env bash
# run.sh PROGRAM [ARGUMENT...]: installs and starts programs that we did not write (two nutshell
# mints and their wallet, a relay, the nostr-tools client), runs PROGRAM with their addresses in its
# environment (peers.h lists the variables), and stops them again, by process id.
#
# Where a registry cannot be reached (one request, 10 s, no retry), PROGRAM runs without that peer
# and its tests skip themselves by name; with PAYGRESS_REQUIRE_PEERS=1 that is a failure instead.
# Anything else that goes wrong is a failure always. `run.sh env` prints what it exports.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "$0")")
home=${PAYGRESS_PEERS_DIR:-$here/../../build/peers}
mkdir -p "$home"
home=$(cd -- "$home" && pwd)
# The registry has probe_seconds to answer; pip and npm have probe_limit to start, ask and end.
readonly probe_seconds=10 probe_limit=60 start_seconds=60 stop_seconds=5

say() { printf '==> peers: %s\n' "$*" >&2; }
die() { printf 'peers: %s\n' "$*" >&2; exit 1; }
[[ $# -gt 0 ]] || die "usage: run.sh PROGRAM [ARGUMENT...]"

absent=()  # one reason for each peer that could not be installed

# ---------------------------------------------------------------------------------- install

# The first Python that nutshell's dependencies have wheels for.
python() {
  local candidate
  for candidate in /usr/bin/python3 python3.11 python3.12 python3.10 python3; do
    if "$candidate" -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "nutshell needs Python 3.10, 3.11 or 3.12 with venv (Debian: python3-venv)"
}

# Whether what is installed is what the pins, and the programs it was built for, ask for.
stamp() { cat "$@" | sha256sum | cut -d' ' -f1; }
is_installed() { [[ -f $home/$1.stamp && $(<"$home/$1.stamp") == "$2" ]]; }

install_nutshell() {
  local want started=$SECONDS log=$home/nutshell.log venv=$home/venv
  want=$(stamp "$here/requirements.txt" <("$(python)" --version))
  # As for the mints: no .env file may win over these variables.
  cat >"$home/wallet" <<WALLET
#!/bin/sh
dir=\$1 MINT_URL=\$2
shift 2
export MINT_URL HOME="\$dir" CASHU_DIR="\$dir/cashu" TOR=FALSE
export PYTHONPATH="$here/nutshell" PYTHONDONTWRITEBYTECODE=1
cd "\$dir" && exec "$venv/bin/cashu" --yes "\$@" </dev/null
WALLET
  chmod +x "$home/wallet"
  is_installed nutshell "$want" && return
  rm -rf "$venv" "$home/nutshell.stamp"
  "$(python)" -m venv "$venv" >"$log" 2>&1 || { cat "$log" >&2; die "cannot make $venv"; }
  if ! timeout $probe_limit "$venv/bin/pip" --retries 0 --timeout $probe_seconds \
    index versions cashu >"$log" 2>&1 </dev/null; then
    absent+=("the Python package registry did not answer")
    return
  fi
  say "installing the nutshell mint"
  "$venv/bin/pip" install --quiet --no-deps --no-input --disable-pip-version-check \
    -r "$here/requirements.txt" >"$log" 2>&1 </dev/null ||
    { tail -n 20 "$log" >&2; die "pip failed (whole log: $log)"; }
  echo "$want" >"$home/nutshell.stamp"
  say "nutshell installed in $((SECONDS - started)) s"
}

install_node() {
  local want started=$SECONDS log=$home/node.log node=$home/node
  want=$(stamp "$here/package-lock.json" <(node --version))
  mkdir -p "$node"
  cp "$here"/{package.json,package-lock.json,relay.mjs,client.mjs} "$node"
  local verb
  for verb in send receive; do
    printf '#!/bin/sh\nexec node %s "%s/client.mjs" %s "$@"\n' "${node_flags[*]}" "$node" "$verb" \
      >"$node/$verb"
    chmod +x "$node/$verb"
  done
  is_installed node "$want" && return
  rm -f "$home/node.stamp"
  if ! (cd -- "$node" && timeout $probe_limit npm view ws@8.23.0 version \
    --fetch-retries=0 --fetch-timeout=$((probe_seconds * 1000))) >"$log" 2>&1 </dev/null; then
    absent+=("the Node package registry did not answer")
    return
  fi
  say "installing the relay and nostr-tools (compiles the relay's SQLite: about a minute)"
  # Node's headers come from its package, not from the network.
  (cd -- "$node" && npm ci --ignore-scripts --no-audit --no-fund &&
    npm_config_nodedir=/usr npm rebuild better-sqlite3 --build-from-source) \
    >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2; die "npm failed (whole log: $log)"; }
  echo "$want" >"$home/node.stamp"
  say "relay and nostr-tools installed in $((SECONDS - started)) s"
}

# ------------------------------------------------------------------------------------ start

pids=()
work=$(mktemp -d "$home/run.XXXXXX")

stop_all() {
  local status=$? pid
  trap - EXIT
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  local deadline=$((SECONDS + stop_seconds))
  for pid in "${pids[@]}"; do
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
      read -rt 0.1 <> <(:) || true
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
  exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# wait_for LOG PATTERN PID: prints the first match once the log has it.
wait_for() {
  local deadline=$((SECONDS + start_seconds)) found
  while ((SECONDS < deadline)); do
    found=$(grep -m 1 -oE "$2" "$1" 2>/dev/null || true)
    if [[ -n $found ]]; then echo "$found"; return; fi
    kill -0 "$3" 2>/dev/null || break
    read -rt 0.1 <> <(:) || true
  done
  tail -n 20 "$1" >&2
  return 1
}

# start_mint NAME FEE-PPK: sets $address.
start_mint() {
  local dir=$work/$1
  mkdir -p "$dir"
  # A .env file in the working directory or the home would win over these variables: both are empty.
  (cd -- "$dir" && exec env HOME="$dir" PYTHONPATH="$here/nutshell" PYTHONDONTWRITEBYTECODE=1 \
    MINT_PRIVATE_KEY="paygress test mint $1" MINT_BACKEND_BOLT11_SAT=FakeWallet \
    MINT_LISTEN_HOST=127.0.0.1 MINT_DATABASE="$dir/db" MINT_INPUT_FEE_PPK="$2" \
    MINT_RATE_LIMIT=FALSE FAKEWALLET_BRR=TRUE FAKEWALLET_DELAY_INCOMING_PAYMENT=0 \
    FAKEWALLET_DELAY_OUTGOING_PAYMENT=0 TOR=FALSE CASHU_DIR="$dir/cashu" \
    "$home/venv/bin/mint" --host 127.0.0.1 --port 0) >"$dir/log" 2>&1 </dev/null &
  pids+=($!)
  address=$(wait_for "$dir/log" 'http://127\.0\.0\.1:[1-9][0-9]*' $!) || die "mint $1 did not start"
}

start_relay() {
  (cd -- "$home/node" && exec node "${node_flags[@]}" relay.mjs "$work/relay.sqlite") \
    >"$work/relay.log" 2>&1 </dev/null &
  pids+=($!)
  address=$(wait_for "$work/relay.log" 'ws://127\.0\.0\.1:[1-9][0-9]*' $!) ||
    die "relay did not start"
}

# Node before 20 hides the cryptography that nostr-tools asks for behind a flag.
node_flags=()
if command -v node >/dev/null; then
  node_major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  ((node_major < 20)) && node_flags=(--experimental-global-webcrypto)
else
  die "node is not installed (./dev test --only peers installs it)"
fi

install_nutshell
install_node
if [[ ${#absent[@]} -gt 0 ]]; then
  PAYGRESS_PEERS_ABSENT=$(IFS=';'; echo "${absent[*]}")
  [[ ${PAYGRESS_REQUIRE_PEERS:-0} != 1 ]] || die "required, but $PAYGRESS_PEERS_ABSENT"
  say "$PAYGRESS_PEERS_ABSENT: tests that need them are SKIPPED"
  export PAYGRESS_PEERS_ABSENT
fi
if [[ -f $home/nutshell.stamp ]]; then
  start_mint plain 0; export PAYGRESS_PEER_MINT=$address
  start_mint fee 100; export PAYGRESS_PEER_MINT_FEE=$address
  export PAYGRESS_PEER_WALLET=$home/wallet
fi
if [[ -f $home/node.stamp ]]; then
  start_relay; export PAYGRESS_PEER_RELAY=$address
  export PAYGRESS_PEER_NOSTR_TOOLS=$home/node
fi
env | grep -E '^PAYGRESS_PEER_' | sort >&2 || true
"$@"
