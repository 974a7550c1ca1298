#!/usr/bin/env python3
"""cluster.py lxd|swarm PROGRAMS IMAGES: a provider on a cluster of two machines.

PROGRAMS and IMAGES are as for engines.py. Each machine is a server of the engine in namespaces of
its own, with a cable between them; the provider and its buyer are on the first one.

A lease is bought on each machine, logged in to and its page fetched where the answer said it is.
Then the cable is cut: what runs on the second machine runs on, is neither started anew nor called
gone, also by a provider that was killed meanwhile and beyond the end of its lease; what is bought
then lands on the first. When the cable is whole again everything ends, and nothing is left.

A swarm ends by itself what a machine ran that was away: there, a shorter cut comes first, after
which the lease goes on where it was, once.
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
    """One machine of a cluster."""

    engine = None
    lease_seconds = 0  # of the one that the cut outlasts

    def __init__(self, name, directory, images):
        self.member, self.address = name, MEMBERS[name]
        directory.mkdir(mode=0o711)
        super().__init__(self.engine, directory, images)

    def configure(self, config):
        box = super().configure(config)
        config[self.engine]["members"] = [{"name": n, "address": a} for n, a in MEMBERS.items()]
        return box

    def lay_cable(self, first):
        subprocess.run(["nsenter", "--target", first.enclosure.first, "--net", "ip", "link", "add",
                        CABLE, "type", "veth", "peer", "name", CABLE, "netns",
                        self.enclosure.first], check=True)
        for machine in (first, self):
            machine.done(["ip", "address", "add", f"{machine.address}/24", "dev", CABLE])
            machine.done(["ip", "link", "set", CABLE, "up"])

    def done(self, argv, text=None):
        """What it printed; inside the machine."""
        environment = dict(os.environ, LXD_DIR=str(self.directory / "lxd"),
                           HOME=str(self.directory))
        ran = subprocess.run(self.enclosure.command(argv), capture_output=True, text=True,
                             input=text or "", timeout=300, check=False, env=environment)
        expect(ran.returncode == 0, f"{argv}: {ran.stdout} {ran.stderr}")
        return ran.stdout

    def connect(self, up):
        self.done(["ip", "link", "set", CABLE, "up" if up else "down"])


class LxdMember(Member):
    engine = "lxd"
    lease_seconds = 100

    def prepare(self):
        if self.member == "n1":  # the others get pool, network and image from it
            super().prepare()

    def join(self, first):
        self.lay_cable(first)
        first.done(["lxc", "config", "set", "core.https_address", f"{first.address}:8443"])
        first.done(["lxc", "cluster", "enable", first.member])
        token = first.done(["lxc", "cluster", "add", "--quiet", self.member]).split()[-1]
        self.done(["lxd", "init", "--preseed"], json.dumps({"cluster": {
            "enabled": True, "server_name": self.member, "server_address": f"{self.address}:8443",
            "cluster_token": token, "member_config": []}}))

    def runs_here(self, name):
        """Whether the machine itself executes it, whatever the cluster would answer."""
        return any(name in line for line in self.done(["ps", "-eo", "args"]).splitlines())


class SwarmMember(Member):
    engine = "docker"
    lease_seconds = 330
    flags = []  # a swarm's engine cannot leave its containers to themselves

    @property
    def wrapper(self):
        return ["unshare", "--uts", "sh", "-c", f'hostname {self.member} && exec "$@"', "sh"]

    def told(self, method, path, body=None):
        status, text = self.ask(method, path, json.dumps(body) if body else None)
        expect(status == 200, f"{method} {path}: {status} {text}")
        return json.loads(text) if text.strip() else None

    def join(self, first):
        self.lay_cable(first)
        first.told("POST", "/swarm/init", {"ListenAddr": f"{first.address}:2377",
                                           "AdvertiseAddr": first.address})
        self.told("POST", "/swarm/join", {
            "ListenAddr": f"{self.address}:2377", "AdvertiseAddr": self.address,
            "RemoteAddrs": [f"{first.address}:2377"],
            "JoinToken": first.told("GET", "/swarm")["JoinTokens"]["Worker"]})
        until(60, "both are ready", lambda: [n["Status"]["State"] for n in
                                             first.told("GET", "/nodes")] == ["ready"] * 2)
        # Each machine makes the swarm's own network in its own time; it is none of what is left.
        for machine in (first, self):
            until(60, "the swarm's network", lambda m=machine: any(
                link.startswith("veth") for link in m.inventory()["links"]))

    def containers(self):
        return [c["Names"][0][1:] for c in json.loads(self.ask("GET", "/containers/json")[1])]

    def objects(self):
        """Of the whole swarm, as its manager has them; of a worker, what it has itself."""
        status, text = self.ask("GET", "/services")
        if status != 200:
            return {name: True for name in self.containers()}
        there = {service["Spec"]["Name"]: True for service in json.loads(text)}
        there |= {secret["Spec"]["Name"]: True for secret in self.told("GET", "/secrets")}
        for task in self.told("GET", "/tasks"):
            there[task["Spec"]["ContainerSpec"]["Hostname"]] = True
        return there

    def runs_here(self, name):
        return any(container.startswith(name + ".") for container in self.containers())


CLUSTERS = {"lxd": LxdMember, "swarm": SwarmMember}


def host_of(market, lease):
    """The name of what answers where the buyer was told, and nobody else's page there."""
    there = until(60, "root logs in", lambda: market.login(lease, "hostname")).strip()
    expect(f"Hello from {there}" in until(60, "the page", lambda: market.page(lease)), "its page")
    return there


def cut_shortly(first, second, market, lease, name):
    """Long enough for the manager to give the machine up, which ends what ran when it is back."""
    second.connect(False)
    until(60, "the manager gives it up",
          lambda: "down" in [n["Status"]["State"] for n in first.told("GET", "/nodes")])
    cut = time.monotonic()
    while time.monotonic() < cut + 75:  # a list at least
        expect(second.runs_here(name) and not first.runs_here(name), "not exactly one")
        time.sleep(1)
    expect(lease["pod_id"] in market.open_leases(), "it was called over unseen")
    second.connect(True)
    until(60, "the swarm ends it", lambda: not second.runs_here(name))

    def again():
        expect(not first.runs_here(name), "it was started elsewhere")
        return second.runs_here(name)
    until(150, "it is started again", again)
    expect(host_of(market, lease) == name, "another one is where it was")
    say("away and back: it goes on where it was, once")


def story(first, second, market):
    before = [first.inventory(), second.inventory()]
    leases, names = {}, {}
    for seconds in (900, first.lease_seconds):
        lease = market.spawn(seconds)
        leases[lease["host"]] = lease
        names[lease["host"]] = host_of(market, lease)
    expect(sorted(leases) == sorted(MEMBERS.values()), f"not one on each: {sorted(leases)}")
    there, name = leases[second.address], names[second.address]
    expect(second.runs_here(name) and not first.runs_here(name), "it runs where it was said to")
    nodes = sorted(str(lease["node"]) for lease in market.open_leases().values())
    expect(nodes == sorted(MEMBERS), f"the ledger has {nodes}")
    say("one on each machine, reached where the answers said")
    if first.engine == "docker":
        cut_shortly(first, second, market, there, name)

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
    over = max(cut + 160, time.monotonic() + there["expires_at"] - time.time() + 60)
    while time.monotonic() < over:
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
    if len(arguments) != 3 or arguments[0] not in CLUSTERS:
        sys.exit(__doc__)
    member = CLUSTERS[arguments[0]]
    programs, images = (str(pathlib.Path(a).resolve()) for a in arguments[1:])
    if os.geteuid() != 0 or not os.access(PROGRAM[member.engine], os.X_OK):
        print(f"skipped: needs root and {PROGRAM[member.engine]}")
        return 1 if os.environ.get("PAYGRESS_REQUIRE_ENGINES") else 77
    directory = pathlib.Path(tempfile.mkdtemp(prefix="paygress-cluster-"))
    directory.chmod(0o711)
    members = []
    try:
        for name in MEMBERS:
            members.append(member(name, directory / name, images))
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
