#!/usr/bin/env python3
"""Fail-over over real sockets: three providers, a relay, real workloads.

The primary is killed (SIGKILL), stopped until another one took over and continued (SIGSTOP,
SIGCONT), or in a network of its own whose cable is pulled and plugged in again. From outside, every
100 ms: no two copies answer. The copy that the consumer was told of answers, and takes the password
that `status` shows. A first holder that came back deletes its copy. With the pod's first name the
consumer tops up where it runs now, and ends it everywhere.

usage: failover.py PAYGRESS [--case kill|stop|cut]... [--profile demo|fast]
"""
import argparse
import collections
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from cable import INNER_ADDRESS, Cable, Place, Unavailable
from market import (COMMAND_S, LOOK_EVERY_S, PATIENCE_S, SKIPPED, Market, left_processes,
                    listening, page_at, wait_for)

# How long a take-over may take here, and how long a copy may run that nobody vouches for.
Pace = collections.namedtuple("Pace", "patience fence silence")
PACES = {"demo": Pace(PATIENCE_S, 3, 6), "fast": Pace(2 * PATIENCE_S, 30, 45)}
TOPUP_SAT = 30
OUTER_ADDRESS = "127.0.0.1"


class Watch(threading.Thread):
    """Looks from outside, every 100 ms, at every port that a workload of this market can have."""

    def __init__(self, ports, places):
        super().__init__(daemon=True)
        self.ports = ports
        self.places = places           # address -> Place
        self.seen = []                 # (when, who answered) of every look that is complete
        self.problem = None
        self.over = threading.Event()

    def run(self):
        try:
            open_looks = collections.deque()
            due = time.monotonic()
            while not self.over.is_set():
                open_looks.append((time.monotonic(), [
                    place.call(self.look, address) for address, place in self.places.items()]))
                while open_looks and all(part.done() for part in open_looks[0][1]):
                    self.take(*open_looks.popleft())
                due = max(due + LOOK_EVERY_S, time.monotonic())
                self.over.wait(due - time.monotonic())
        except Exception as problem:  # said by the main thread
            self.problem = problem

    def look(self, address):
        return [url for url in (f"http://{address}:{port}/" for port in listening(self.ports))
                if page_at(url)]

    def take(self, when, parts):
        answering = [url for part in parts for url in part.result()]
        self.seen.append((when, answering))
        assert len(answering) <= 1, f"two copies answer: {answering}"

    def check(self):
        if self.problem:
            raise self.problem
        assert self.is_alive()

    def newest(self):
        self.check()
        return self.seen[-1][1] if self.seen else []

    def close(self):
        self.over.set()
        self.join()


class Kill:
    """Nobody starts it again: its guard alone keeps its copy down."""

    comes_back = False
    all_live = False

    def __init__(self, primary, _cable):
        self.primary = primary

    def strike(self):
        os.kill(self.primary, signal.SIGKILL)


class Stop(Kill):
    comes_back = True
    all_live = True

    def strike(self):
        os.kill(self.primary, signal.SIGSTOP)

    def heal(self):
        os.kill(self.primary, signal.SIGCONT)


class Cut:
    comes_back = True
    all_live = False  # it is, and leaves that to the case before

    def __init__(self, _primary, cable):
        self.strike, self.heal = cable.pull, cable.plug


CASES = {"kill": Kill, "stop": Stop, "cut": Cut}


class Story:
    """One market, one workload, one loss of its primary."""

    def __init__(self, program, profile, case, ends):
        self.pace = PACES[profile]
        self.title = f"{case} ({profile} profile)"
        directory = tempfile.mkdtemp(prefix="paygress-failover-")
        os.chmod(directory, 0o700)
        ends.callback(shutil.rmtree, directory, ignore_errors=True)
        cable = None
        if case == "cut":
            cable = Cable()
            ends.callback(cable.close)
        self.consumers = cable.outer if cable else Place()
        places = {OUTER_ADDRESS: self.consumers}
        self.market = Market(program, directory, profile=profile, inside=self.consumers.inside)
        ends.callback(self.market.close)
        if cable:
            places[INNER_ADDRESS] = cable.inner
            self.move(cable.inner, ends)
        for name in ("dev-1", "dev-2", "dev-3"):
            if not self.market.provider(name).guarded():
                raise AssertionError(f"{name} is ready and its guard does not work")
        self.case = CASES[case](self.market.daemon("dev-1"), cable)
        self.watch = Watch(self.market.ports, places)
        self.watch.start()
        ends.callback(self.watch.close)

    def move(self, place, ends):
        """The primary, its guard and what they start, to the other end of the cable."""
        primary = self.market.take(
            "dev-1", {"public_ip": INNER_ADDRESS, "metrics_bind_addr": None},
            place.inside)
        primary.start()
        ends.callback(primary.end)
        wait_for("the primary is ready at its end of the cable", primary.ready)

    def wait(self, what, condition):
        return wait_for(what, condition, self.watch.check, self.pace.patience)

    def play(self):
        pod = self.market.consumer("spawn", "dev-1", "--template", "hello", "--amount", "600",
                                   "--standby", "2")["pod_id"]
        first = self.wait("the primary serves", self.watch.newest)[0]
        struck = time.monotonic()
        self.case.strike()
        now = self.wait("the consumer reaches the new copy", self.at_new_holder)
        reached = time.monotonic()
        logged_in = self.log_in(now)
        self.operators_see(now)
        paid = self.market.consumer("topup", pod, "--amount", str(TOPUP_SAT))
        assert paid["pod_id"] == now["pod_id"] and paid["expires_at"] > now["expires_at"], paid
        if self.case.comes_back:
            self.case.heal()
            data = self.market.provider_directory("dev-1") + "data"
            self.wait("the first holder deletes its copy", lambda: not left_processes(data))
        self.last_for(self.pace.fence)  # nothing starts again
        self.tell(first, struck, reached, now, logged_in)
        if self.case.all_live:
            self.end_all(pod)

    def last_for(self, seconds):
        end = time.monotonic() + seconds
        self.wait(f"{seconds} s", lambda: time.monotonic() > end)

    def end_all(self, pod):
        """Who stands by does not take over what its owner ended."""
        self.market.consumer("stop", pod)
        self.wait("nobody answers", lambda: not self.watch.newest())
        ended = len(self.watch.seen)
        self.last_for(1.5 * self.pace.silence)
        assert not any(urls for _, urls in self.watch.seen[ended:]), "it runs again after its stop"

    def at_new_holder(self):
        """The consumer's word for it, once another one holds the workload and it answers there."""
        try:
            now = self.market.consumer("status", "--timeout", "3")
        except AssertionError:
            return None  # nobody holds it at the moment
        if now["provider_name"] == "dev-1" or not now.get("epoch") or not now["ports"]:
            return None
        if now["ssh_command"] and not now["ssh_password"]:
            return None  # it comes by letter, a moment after the promotion
        page = now["ports"][0]["url"]
        return now if self.consumers.call(page_at, page).result() else None

    def log_in(self, now):
        """As the consumer is told to. The root of a sandbox without dropbear has no SSH."""
        if not all(map(shutil.which, ("dropbear", "ssh", "sshpass"))):
            return "SSH not tried (needs dropbear, ssh and sshpass)"
        ssh, *rest = shlex.split(now["ssh_command"])
        done = subprocess.run(
            [*self.consumers.inside, "sshpass", "-e", ssh, "-o", "StrictHostKeyChecking=no", "-o",
             "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *rest, "id", "-u"],
            env=dict(os.environ, SSHPASS=now["ssh_password"]), text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=COMMAND_S, check=False)
        assert done.returncode == 0 and done.stdout == "0\n", done
        return "logged in"

    def operators_see(self, now):
        """What the daemon of the new holder tells its operator."""
        asked = self.market.provider(now["provider_name"]).verb("leases")
        assert asked.returncode == 0, asked
        [lease] = [each for each in json.loads(asked.stdout)["leases"] if each["open"]]
        assert lease["standby"] == {
            "role": "standby", "state": "holding", "epoch": now["epoch"],
            "holder": lease["standby"]["holder"], "guarantee": "fenced"}, lease
        assert lease["standby"]["holder"], lease

    def tell(self, first, struck, reached, now, logged_in):
        seen = self.watch.seen
        answering = [(when, urls[0]) for when, urls in seen if urls]
        last = max(when for when, url in answering if url == first)
        new = min(when for when, url in answering if url != first)
        gap = max(b[0] - a[0] for a, b in zip(seen, seen[1:]))
        assert struck < new and last < new, "the first copy answered after another one did"
        assert max(len(urls) for _, urls in seen) == 1
        print(f"{self.title}: {now['provider_name']} took over, epoch {now['epoch']}; the first "
              f"copy stopped after {max(0, last - struck):.1f} s, the new one ran after "
              f"{new - struck:.1f} s, reached by the consumer after {reached - struck:.1f} s, "
              f"{logged_in}; {len(seen)} looks, at most {gap:.2f} s apart, never two copies",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--profile", default="demo", choices=list(PACES))
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("bwrap") is None:
        print("skipped: needs root and bubblewrap")
        return SKIPPED
    for case in options.case or CASES:
        try:
            with contextlib.ExitStack() as ends:
                Story(options.program, options.profile, case, ends).play()
        except Unavailable as reason:
            print(f"skipped: {case}: no network namespaces here: {reason}")
            return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
