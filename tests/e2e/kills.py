#!/usr/bin/env python3
"""A provider that is killed (SIGKILL) at random instants while it sells: no sat is lost.

Consumers buy, top up, stop and let leases expire, with real programs, a real relay connection and
real workloads, and the operator takes earnings out; the provider dies again and again, also in the
middle of its own recovery. Between everybody and the mint stands a proxy that keeps the mint's
books and, with --drop, loses answers that the mint has given. At every restart `ledger verify` must
pass. In the end a consumer takes the operator's tokens, and

    minted  =  in the consumers' wallets + in the provider's wallet + fees of the mint

to the sat, nothing is in doubt, no lease is open, and no workload is left.

usage: kills.py PAYGRESS [--kills N] [--seed S] [--drop PERCENT] [--mint URL | --mint-from NAME]
"""
import argparse
import http.client
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from market import COMMAND_S, SKIPPED, Market, left_processes, listening, wait_for

CONSUMERS = 3
TEST_MONEY = 2000        # sats of each
ASK_S = 15               # how long a consumer's command waits for its answer
SETTLE_S = 240           # until everything is over, when nobody is killed any more
DROPPED = ("/v1/swap", "/v1/restore", "/v1/checkstate")


class Proxy(http.server.ThreadingHTTPServer):
    """In front of a mint: knows what it signed, and may lose its answers."""

    daemon_threads = True

    def __init__(self, mint, drop_percent, seed):
        super().__init__(("127.0.0.1", 0), Forward)
        self.mint = urllib.parse.urlsplit(mint)
        self.drop_percent = drop_percent
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.signed = set()   # outputs that are in the books
        self.minted = 0
        self.fees = 0
        self.swaps = 0
        self.dropped = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A provider that is killed resets its connections: that is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def book(self, path, request):
        """The mint has carried it out. The same request again is in the books already."""
        body = json.loads(request)
        outputs = body.get("outputs", [])
        with self.lock:
            if not outputs or outputs[0]["B_"] in self.signed:
                return
            self.signed.update(output["B_"] for output in outputs)
            made = sum(output["amount"] for output in outputs)
            if path == "/v1/swap":
                self.swaps += 1
                self.fees += sum(proof["amount"] for proof in body["inputs"]) - made
            else:
                self.minted += made

    def drops(self, path):
        with self.lock:
            lost = path in DROPPED and self.random.uniform(0, 100) < self.drop_percent
            self.dropped += lost
            return lost


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.forward()

    def do_POST(self):
        self.forward()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mint = self.server.mint
        upstream = http.client.HTTPConnection(mint.hostname, mint.port, timeout=30)
        try:
            upstream.request(self.command, mint.path.rstrip("/") + self.path, body or None,
                             {"Content-Type": "application/json"} if body else {})
            answer = upstream.getresponse()
            content = answer.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            upstream.close()
        if answer.status == 200 and self.path in ("/v1/swap", "/v1/mint/bolt11"):
            self.server.book(self.path, body)
        if self.server.drops(self.path):
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        try:
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the provider was killed while it waited: one more lost answer
            self.close_connection = True

    def log_message(self, *_):
        pass


class Consumer(threading.Thread):
    """Buys, tops up, stops, and lets expire, until told to end."""

    def __init__(self, market, mint, number, seed):
        super().__init__(daemon=True)
        self.program = market.program
        self.mint = mint
        self.env = dict(market.env, PAYGRESS_HOME=os.path.join(market.directory, f"home-{number}"))
        self.random = random.Random(f"{seed} {number}")
        self.over = threading.Event()
        self.pods = []
        self.unknown = []      # (verb, request) of commands that had no answer
        self.done = {}         # verb -> how often it had one
        self.problem = None

    def command(self, *words):
        done = subprocess.run([self.program, *words, "--json"], env=self.env, text=True,
                              capture_output=True, timeout=COMMAND_S, check=False)
        unknown = re.search(r"paygress (spawn|topup) .*?--resume ([0-9a-f]{32})", done.stdout)
        if done.returncode == 6 and unknown:
            self.unknown.append(unknown.groups())
        if done.returncode != 0:
            return None
        self.done[words[0]] = self.done.get(words[0], 0) + 1
        return json.loads(done.stdout)

    def fill(self):
        wait_for("the wallet is filled", lambda: self.balance() >= TEST_MONEY or self.command(
            "wallet", "mint", str(TEST_MONEY), "--mint", self.mint) and False)

    def balance(self):
        return sum(purse["balance"] for purse in self.command("wallet", "balance") or [])

    def run(self):
        try:
            while not self.over.is_set():
                self.trade()
        except Exception as problem:  # said by the main thread
            self.problem = problem

    def trade(self):
        wait = ("--timeout", str(ASK_S))
        pod = self.keep(self.command("spawn", "dev-1", "--template", "hello", "--amount",
                                     str(self.random.randint(8, 16)), *wait))
        if pod is None:
            return
        if self.random.random() < 0.5:
            self.command("topup", pod, "--amount", str(self.random.randint(3, 8)), *wait)
        if self.random.random() < 0.6:
            self.command("stop", pod, *wait)

    def keep(self, spawned):
        if spawned is None:
            return None
        if spawned["pod_id"] not in self.pods:
            self.pods.append(spawned["pod_id"])
        return spawned["pod_id"]

    def settle(self):
        """Everything that is still on its way comes home. True: nothing is."""
        self.command("wallet", "receive")
        for verb, request in list(self.unknown):
            words = ("spawn",) if verb == "spawn" else ("topup",)
            asked = self.command(*words, "--resume", request, "--timeout", str(ASK_S))
            if verb == "spawn":
                self.keep(asked)
        for pod in self.pods:  # what was left at its end is in its status
            self.command("status", pod, "--timeout", str(ASK_S))
        return self.at_home()

    def take(self, token):
        """Of somebody who gives it away. True: it is taken, whatever answers were lost."""
        return self.command("wallet", "receive", token) is not None or (
            self.command("wallet", "receive") is not None and self.at_home())

    def at_home(self):
        pending = self.command("wallet", "pending")
        balance = self.command("wallet", "balance")
        return pending == [] and balance is not None and all(
            purse["in_doubt"] == 0 and purse["given_away"] == 0 for purse in balance)


class Operator(threading.Thread):
    """Takes earnings out, until told to end."""

    def __init__(self, provider, seed):
        super().__init__(daemon=True)
        self.provider = provider
        self.random = random.Random(f"{seed} operator")
        self.over = threading.Event()
        self.shown = {}        # id of a withdrawal -> its token
        self.asked = 0
        self.problem = None

    def run(self):
        try:
            while not self.over.wait(self.random.uniform(0.1, 1)):
                self.send(*(["--all"] if self.random.random() < 0.3 else
                            [str(self.random.randint(1, 5))]))
        except Exception as problem:  # said by the main thread
            self.problem = problem

    def send(self, *amount):
        self.asked += 1
        done = self.provider.verb("wallet", "send", *amount, "--stdout")
        assert done.returncode in (0, 1, 6), f"wallet send: {done.returncode}\n{done.stderr}"
        if done.returncode == 0:
            sent = json.loads(done.stdout)
            self.shown[sent["withdrawal"]] = sent["token"]

    def settle(self):
        """The tokens of all withdrawals, shown or not. Nothing while one is under way."""
        history = json.loads(self.provider.verb("wallet", "history").stdout)["history"]
        if any(entry["kind"] == "withdrawing" for entry in history):
            return None
        tokens = []
        for entry in history:
            if entry["kind"] != "withdrawn":
                continue
            again = json.loads(self.provider.verb("wallet", "token", entry["id"],
                                                  "--stdout").stdout)
            assert again["token"] == self.shown.pop(entry["id"], again["token"])
            tokens.append(again["token"])
        assert not self.shown, f"shown, and not in the ledger: {list(self.shown)}"
        return tokens


def play(options, market):
    dice = random.Random(options.seed)
    upstream = options.mint or market.mint
    proxy = Proxy(upstream, options.drop, options.seed)
    provider = market.take("dev-1", {"whitelisted_mints": [proxy.url()]})
    provider.start()
    wait_for("the provider is ready", provider.ready)
    consumers = [Consumer(market, proxy.url(), n, options.seed) for n in range(CONSUMERS)]
    for consumer in consumers:
        consumer.fill()
        consumer.start()
    operator = Operator(provider, options.seed)
    operator.start()
    for n in range(options.kills):
        time.sleep(dice.uniform(0.1, 3))  # the instant of the kill is what varies
        provider.kill()
        provider.start()
        if dice.random() < 0.8:           # else it dies while it recovers
            wait_for("the provider is ready again", provider.ready)
        if n % 50 == 49:
            print(f"{n + 1} kills", flush=True)
    for consumer in consumers:
        consumer.over.set()
    operator.over.set()
    for somebody in [*consumers, operator]:
        somebody.join()
        assert somebody.problem is None, somebody.problem
    account(options, market, proxy, provider, consumers, operator)


def account(options, market, proxy, provider, consumers, operator):
    end = time.monotonic() + SETTLE_S
    open_leases = home = None
    while time.monotonic() < end:
        open_leases = json.loads(provider.verb("leases").stdout)["leases"]
        home = [consumer.settle() for consumer in consumers]
        if all(home) and not open_leases:
            break
    assert not open_leases, f"leases do not end: {open_leases}"
    assert all(home), [consumer.command("wallet", "pending") for consumer in consumers]
    wait_for("no workload is left",
             lambda: not listening(market.ports) and
             not left_processes(market.provider_directory("dev-1") + "data"))
    operator.send("--all")
    wait_for("every withdrawal is over", lambda: operator.settle() is not None)
    tokens = operator.settle()
    for token in tokens:
        wait_for("a withdrawal's token is taken", lambda: consumers[0].take(token))
    books = provider.verify()
    ours = sum(purse["wallet_msat"] for purse in books["money"])
    assert ours % 1000 == 0
    theirs = sum(consumer.balance() for consumer in consumers)
    done = {verb: sum(c.done.get(verb, 0) for c in consumers) for verb in
            ("spawn", "topup", "stop")}
    print(f"{options.kills} kills, ledger verified {provider.verified} times; {done['spawn']} "
          f"spawns, {done['topup']} top-ups, {done['stop']} stops; {len(tokens)} withdrawals of "
          f"{operator.asked} asked for; {proxy.swaps} swaps, {proxy.dropped} answers lost")
    print(f"{proxy.minted} sat minted = {theirs} with consumers + {ours // 1000} with the provider "
          f"+ {proxy.fees} fees", flush=True)
    assert proxy.minted == theirs + ours // 1000 + proxy.fees
    assert done["spawn"] > 0 and done["stop"] > 0
    assert tokens or ours < 3000, "nothing was ever taken out"
    provider.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--drop", type=float, default=0, help="percent of the mint's answers")
    parser.add_argument("--mint", help="another mint than the development market's")
    parser.add_argument("--mint-from", metavar="NAME", help="the variable that says which")
    options = parser.parse_args()
    if options.mint_from:
        options.mint = os.environ.get(options.mint_from)
        if not options.mint:
            print(f"skipped: {options.mint_from} is not set")
            return SKIPPED
    if os.geteuid() != 0 or shutil.which("bwrap") is None:
        print("skipped: needs root and bubblewrap")
        return SKIPPED
    print(f"seed {options.seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="paygress-kills-")
    os.chmod(directory, 0o700)
    market = Market(options.program, directory, providers=1)
    try:
        play(options, market)
    finally:
        market.close()
    shutil.rmtree(directory)  # kept when something is wrong: its logs say what
    return 0


if __name__ == "__main__":
    sys.exit(main())
