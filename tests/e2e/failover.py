#!/usr/bin/env python3
"""Fail-over over real sockets: three providers, a relay, real workloads, the demo's timing.

The primary is killed (SIGKILL), and in a second market stopped for longer than the silence and
continued (SIGSTOP, SIGCONT). From outside, every 100 ms: no two copies answer. Afterwards the copy
that the consumer was told of answers, with the way in that `status` shows.

usage: failover.py PAYGRESS
"""
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PATIENCE_S = 90      # of every wait; a take-over takes about 8 s with the demo's profile
LOOK_EVERY_S = 0.1
PAUSE_S = 15         # longer than the demo's silence
SKIPPED = 77


def page_at(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=0.5) as page:
            return page.status == 200
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def wait_for(what, condition, watch=lambda: None):
    """Looks until the condition is true; `watch` sees every moment of it."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        watch()
        found = condition()
        if found:
            return found
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def runs(pid, program, config):
    """Whether the process is that program with that configuration."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            words = line.read().decode(errors="replace").split("\0")
    except OSError:
        return False  # it ended
    return os.path.basename(words[0]) == program and any(w.startswith(config) for w in words)


class Market:
    """`paygress dev` with some providers, and the consumer's verbs against it."""

    def __init__(self, program, directory, providers=3):
        self.program = program
        self.directory = directory
        self.said = os.path.join(directory, "said")
        with open(self.said, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [program, "dev", "--providers", str(providers), "--backend", "sandbox",
                 "--data-dir", os.path.join(directory, "market")],
                stdout=out, stderr=out, start_new_session=True)
        text = wait_for("the market is open", self.opened)
        # Of the workloads, as the market prints them.
        self.ports = {port for first, last in re.findall(r"on ports (\d+) to (\d+)", text)
                      for port in range(int(first), int(last) + 1)}
        self.mint = re.search(r"^mint +(\S+)", text, re.MULTILINE).group(1)
        self.env = dict(os.environ, **dict(re.findall(r"export (\w+)=(\S+)", text)))

    def opened(self):
        with open(self.said, encoding="utf-8") as said:
            text = said.read()
        if self.process.poll() is not None:
            raise AssertionError(f"the market ended:\n{text}")
        return text if "Ctrl-C ends it" in text else None

    def consumer(self, *words):
        done = subprocess.run([self.program, *words, "--json"], env=self.env, text=True,
                              capture_output=True, timeout=PATIENCE_S, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def daemon(self, name):
        """The pid of the provider that is called so."""
        config = os.path.join(self.directory, "market", name.replace("dev-", "provider-"), "")
        found = [pid for pid in os.listdir("/proc") if pid.isdigit()
                 and runs(pid, "paygress-provider", config)]
        assert len(found) == 1, f"{name}: {found}"
        return int(found[0])

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)


class Watch:
    """Looks from outside at every port that a workload of this market can have."""

    def __init__(self, ports):
        self.ports = ports
        self.looks = 0
        self.most = 0
        self.pool = concurrent.futures.ThreadPoolExecutor(8)

    def __call__(self):
        answering = [port for port, ok in self.pool.map(look, listening(self.ports)) if ok]
        self.looks += 1
        self.most = max(self.most, len(answering))
        assert len(answering) <= 1, f"two copies answer: ports {answering}"
        return answering


def look(port):
    return port, page_at(port)


def listening(candidates):
    """Those of the ports that have a listener."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    ports = {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A"}
    return sorted(ports & candidates)


def status_of_new_holder(market, before):
    """The consumer's word for it, once somebody else holds the workload and it answers there."""
    try:
        now = market.consumer("status")
    except AssertionError:
        return None  # nobody holds it at the moment
    ports = [port["host_port"] for port in now.get("ports", [])]
    if now["provider_name"] == before or not now.get("epoch") or not ports:
        return None
    return now if page_at(ports[0]) else None


def take_over(program, stop, resume):
    directory = tempfile.mkdtemp(prefix="paygress-failover-")
    os.chmod(directory, 0o700)
    market = Market(program, directory)
    try:
        watch = Watch(market.ports)
        market.consumer("spawn", "dev-1", "--template", "hello", "--amount", "300",
                        "--standby", "1")
        wait_for("the primary serves", watch)
        primary = market.daemon("dev-1")
        os.kill(primary, stop)
        if resume:
            end = time.monotonic() + PAUSE_S
            while time.monotonic() < end:
                watch()
                time.sleep(LOOK_EVERY_S)
            os.kill(primary, resume)
        now = wait_for("the consumer reaches the new copy",
                       lambda: status_of_new_holder(market, "dev-1"), watch)
        assert now["epoch"] >= 1 and now["ssh_password"], now
        end = time.monotonic() + PAUSE_S  # whoever came back stays down
        while time.monotonic() < end:
            watch()
            time.sleep(LOOK_EVERY_S)
        assert watch.most == 1 and watch.looks > 20, (watch.most, watch.looks)
        print(f"{signal.Signals(stop).name}: {now['provider_name']} took over, epoch "
              f"{now['epoch']}; {watch.looks} looks, never two copies", flush=True)
    finally:
        market.close()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    if os.geteuid() != 0 or shutil.which("bwrap") is None:
        print("skipped: needs root and bubblewrap")
        return SKIPPED
    take_over(sys.argv[1], signal.SIGKILL, None)
    take_over(sys.argv[1], signal.SIGSTOP, signal.SIGCONT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
