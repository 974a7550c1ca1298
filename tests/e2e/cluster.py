#!/usr/bin/env python3
"""cluster.py lxd PROGRAMS IMAGES: a provider on a cluster of two machines.

PROGRAMS and IMAGES are as for engines.py. Each machine is a server of the engine in namespaces of
its own, with a cable between them; the provider and its buyer are on the first one.

A lease is bought on each machine, logged in to and its page fetched where the answer said it is.
Then the cable is cut: what runs on the second machine runs on, is neither started anew nor called
gone, also by a provider that was killed meanwhile and beyond the end of its lease; what is bought
then lands on the first. When the cable is whole again everything ends, and nothing is left.
Exits 77 where the engine cannot be run.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from engines import PROGRAM, Engine, Market, expect, say, until

MEMBERS = {"n1": "10.78.0.1", "n2": "10.78.0.2"}
CABLE = "cable"


class Member(Engine):
    """One machine of an LXD cluster."""

    def __init__(self, name, directory, images):
        self.member, self.address = name, MEMBERS[name]
        directory.mkdir(mode=0o711)
        super().__init__("lxd", directory, images)

    def prepare(self):
        if self.member == "n1":  # the others get pool, network and image from it
            super().prepare()

    def configure(self, config):
        box = super().configure(config)
        config["lxd"]["members"] = [{"name": n, "address": a} for n, a in MEMBERS.items()]
        return box

    def done(self, argv, text=None):
        """What it printed; inside the machine."""
        environment = dict(os.environ, LXD_DIR=str(self.directory / "lxd"),
                           HOME=str(self.directory))
        ran = subprocess.run(self.enclosure.command(argv), capture_output=True, text=True,
                             input=text or "", timeout=300, check=False, env=environment)
        expect(ran.returncode == 0, f"{argv}: {ran.stdout} {ran.stderr}")
        return ran.stdout

    def join(self, first):
        subprocess.run(["nsenter", "--target", first.enclosure.first, "--net", "ip", "link", "add",
                        CABLE, "type", "veth", "peer", "name", CABLE, "netns",
                        self.enclosure.first], check=True)
        for machine in (first, self):
            machine.done(["ip", "address", "add", f"{machine.address}/24", "dev", CABLE])
            machine.done(["ip", "link", "set", CABLE, "up"])
        first.done(["lxc", "config", "set", "core.https_address", f"{first.address}:8443"])
        first.done(["lxc", "cluster", "enable", first.member])
        token = first.done(["lxc", "cluster", "add", "--quiet", self.member]).split()[-1]
        self.done(["lxd", "init", "--preseed"], json.dumps({"cluster": {
            "enabled": True, "server_name": self.member, "server_address": f"{self.address}:8443",
            "cluster_token": token, "member_config": []}}))

    def connect(self, up):
        self.done(["ip", "link", "set", CABLE, "up" if up else "down"])

    def runs_here(self, name):
        """Whether the machine itself executes it, whatever the engine would answer."""
        return any(name in line for line in self.done(["ps", "-eo", "args"]).splitlines())


def host_of(market, lease):
    """The name of what answers where the buyer was told, and nobody else's page there."""
    there = until(60, "root logs in", lambda: market.login(lease, "hostname")).strip()
    expect(f"Hello from {there}" in until(60, "the page", lambda: market.page(lease)), "its page")
    return there


def story(first, second, market):
    before = [first.inventory(), second.inventory()]
    leases, names = {}, {}
    for seconds in (600, 100):
        lease = market.spawn(seconds)
        leases[lease["host"]] = lease
        names[lease["host"]] = host_of(market, lease)
    expect(sorted(leases) == sorted(MEMBERS.values()), f"not one on each: {sorted(leases)}")
    there, name = leases[second.address], names[second.address]
    expect(second.runs_here(name) and not first.runs_here(name), "it runs where it was said to")
    nodes = sorted(str(lease["node"]) for lease in market.open_leases().values())
    expect(nodes == sorted(MEMBERS), f"the ledger has {nodes}")
    say("one on each machine, reached where the answers said")

    cut = time.monotonic()
    second.connect(False)
    while time.monotonic() < cut + 40:
        expect(second.runs_here(name), "it was ended")
        time.sleep(2)
    market.kill_provider()
    market.start_provider()
    market.await_provider()
    meanwhile = market.spawn(60)
    expect(meanwhile["host"] == first.address, f"bought meanwhile: {meanwhile}")
    # Beyond its end, and two of the provider's lists.
    while time.monotonic() < max(cut + 160, there["expires_at"] - time.time() + cut + 60):
        objects = sorted(first.objects())
        expect(name in objects, f"forgotten: {objects}")
        expect(len({o.rsplit("-g", 1)[0] for o in objects}) == len(objects), f"twice: {objects}")
        expect(second.runs_here(name) and not first.runs_here(name), "not exactly one")
        time.sleep(2)
    expect(there["pod_id"] in market.open_leases(), "it was called over unseen")
    say("cut off: it ran on, once, and nobody called it gone")

    second.connect(True)
    until(240, "it is gone", lambda: name not in first.objects())
    expect(not second.runs_here(name), "it runs for nobody")
    ended = market.buy("stop", leases[first.address]["pod_id"])
    expect(ended.returncode == 0, f"stop: {ended.stderr}")
    until(240, "everything is gone", lambda: not first.objects())
    until(180, f"nothing is left of {before}",
          lambda: [first.inventory(), second.inventory()] == before)
    say("healed: everything ended, and nothing is left")


def main(arguments):
    if len(arguments) != 3 or arguments[0] != "lxd":
        sys.exit(__doc__)
    programs, images = (str(pathlib.Path(a).resolve()) for a in arguments[1:])
    if os.geteuid() != 0 or not os.access(PROGRAM["lxd"], os.X_OK):
        print(f"skipped: needs root and {PROGRAM['lxd']}")
        return 1 if os.environ.get("PAYGRESS_REQUIRE_ENGINES") else 77
    directory = pathlib.Path(tempfile.mkdtemp(prefix="paygress-cluster-"))
    directory.chmod(0o711)
    members = []
    try:
        for name in MEMBERS:
            members.append(Member(name, directory / name, images))
        first, second = members
        second.join(first)
        market = Market(first, pathlib.Path(programs))
        market.await_provider()
        story(first, second, market)
        market.close()
        return 0
    except (AssertionError, subprocess.SubprocessError) as problem:
        print(f"FAILED: {problem}")
        for log in sorted(directory.glob("n*/*.log")):
            last = log.read_text(errors="replace").splitlines()[-25:]
            print("\n".join([f"--- {log.parent.name}/{log.name}", *last]))
        return 1
    finally:
        for member in members:
            member.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
