#!/usr/bin/env python3
"""engines.py ENGINE PROGRAMS IMAGES [kill N | away SECONDS | many N]: a provider on a real engine.

ENGINE is docker, lxd or kvm, PROGRAMS the directory of the built programs, IMAGES a directory where
the test images are kept. Everything lives in namespaces and a directory that end with this program.

Without more: a workload is bought over a relay and a mint, logged in to with the answered password,
its page fetched, topped up, killed from outside (docker) and started again, and left to expire;
then nothing of it is left on the engine.
kill N: the daemon is killed with SIGKILL N times in the middle of each of create, stop and delete.
away SECONDS: the engine is stopped under a running lease for so long, and started again.
many N: N leases at once; prints how long a spawn takes and what we and the engine used for it.
kvm has kill alone: qemu is all there is of an engine, and e2e_kvm_test.cpp has the rest.
Exits 77 where the engine cannot be run.
"""

import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

BACKEND = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "backend"
PROGRAM = {"docker": "/usr/sbin/dockerd", "lxd": "/usr/bin/lxd",
           "kvm": "/usr/bin/qemu-system-x86_64"}
TEMPLATE = "nostr-relay"  # served here by a small image of ours
PROJECT = "paygress"


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def until(seconds, what, look):
    """What `look` gave when it was first true."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        expect(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.2)


class Enclosure:
    """Namespaces that end with us; see enclosure.sh."""

    def __init__(self, directory):
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             BACKEND / "enclosure.sh", directory], stdin=subprocess.DEVNULL)
        until(120, "the enclosure", (directory / "ready").exists)
        children = f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children"
        self.first = pathlib.Path(children).read_text(encoding="ascii").split()[0]

    def command(self, argv):
        return ["nsenter", "--target", self.first, "--net", "--mount", "--pid", "--",
                *map(str, argv)]

    def start(self, argv, log, environment=None):
        with open(log, "ab") as out:
            return subprocess.Popen(self.command(argv), stdout=out, stderr=out,
                                    stdin=subprocess.DEVNULL, env=environment)

    def run(self, argv, environment=None, limit=300):
        return subprocess.run(self.command(argv), capture_output=True, text=True, timeout=limit,
                              env=environment, check=False, stdin=subprocess.DEVNULL)

    @staticmethod
    def end(started, number):
        """Of the program behind nsenter, not of nsenter."""
        path = pathlib.Path(f"/proc/{started.pid}/task/{started.pid}/children")
        for child in path.read_text(encoding="ascii").split():
            os.kill(int(child), number)
        started.wait(timeout=300)

    def close(self):
        os.kill(int(self.first), signal.SIGKILL)
        self.keeper.wait(timeout=120)


def image(name, images):
    made = subprocess.run([BACKEND / "images.sh", name, images], capture_output=True, text=True,
                          check=True)
    return made.stdout


class Engine:
    flags = ["--live-restore"]  # of dockerd
    wrapper = []                # before the engine's command

    def __init__(self, name, directory, images):
        self.name, self.directory = name, directory
        self.archive = image("box-" + name, images)
        self.enclosure = Enclosure(directory)
        self.process = None
        self.start()
        self.prepare()

    @property
    def socket(self):
        return self.directory / ("docker.sock" if self.name == "docker" else "lxd/unix.socket")

    def start(self):
        d = self.directory
        argv = (["dockerd", "--data-root", d / "data", "--exec-root", d / "exec", "--pidfile",
                 d / "pid", *self.flags, "-H", f"unix://{self.socket}"]
                if self.name == "docker" else
                ["env", f"LXD_DIR={d / 'lxd'}", "lxd", "--group", "root"])
        if self.name == "docker":
            (d / "pid").unlink(missing_ok=True)
        self.process = self.enclosure.start([*self.wrapper, *argv], d / "engine.log")
        path = "/_ping" if self.name == "docker" else "/1.0"
        until(300, "the engine answers", lambda: self.ask("GET", path)[0] == 200)

    def stop(self, number=signal.SIGTERM):
        self.enclosure.end(self.process, number)

    def ask(self, method, path, body=None, kind="application/json"):
        argv = ["curl", "-sS", "-m", "300", "--unix-socket", self.socket, "-X", method, "-w",
                "\n%{http_code}", "-H", f"Content-Type: {kind}", f"http://engine{path}"]
        if body is not None:
            argv[1:1] = ["--data-binary", body]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        text, _, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    def configure(self, config):
        """The provider's configuration; returns the image of its template."""
        config["backend_type"] = {"docker": "Docker", "lxd": "LXD"}[self.name]
        config[self.name]["socket"] = str(self.socket)
        if self.name == "docker":
            return "test/box:1"
        config["lxd"].update({"network": "pgbr0", "project": PROJECT})
        return "box"

    def prepare(self):
        if self.name == "docker":
            changes = "changes=LABEL%20paygress.ssh%3D1&changes=CMD%20%5B%22%2Fsbin%2Finit%22%5D"
            status, text = self.ask(
                "POST", f"/images/create?fromSrc=-&repo=test%2Fbox&tag=1&{changes}",
                f"@{self.archive}", "application/x-tar")
            expect(status == 200 and "error" not in text, text)
            return
        self.ask("POST", "/1.0/storage-pools", '{"name": "pool", "driver": "dir"}')
        status, text = self.ask("POST", "/1.0/networks", json.dumps(
            {"name": "pgbr0", "type": "bridge",
             "config": {"ipv4.address": "10.77.0.1/24", "ipv6.address": "none"}}))
        expect(status == 201, text)
        status, text = self.ask("POST", "/1.0/images", f"@{self.archive}",
                                "application/octet-stream")
        expect(status == 202, text)
        self.ask("GET", json.loads(text)["operation"] + "/wait?timeout=60")
        listed = json.loads(self.ask("GET", "/1.0/images")[1])["metadata"]
        status, text = self.ask("POST", "/1.0/images/aliases", json.dumps(
            {"name": "box", "target": listed[0].rpartition("/")[2]}))
        expect(status == 201, text)

    def objects(self):
        """{name: whether it runs} of all there is, whoever made it."""
        if self.name == "docker":
            listed = json.loads(self.ask("GET", "/containers/json?all=1")[1])
            return {c["Names"][0][1:]: c["State"] == "running" for c in listed}
        status, text = self.ask("GET", f"/1.0/instances?recursion=1&project={PROJECT}")
        if status == 404:
            return {}
        return {i["name"]: i["status_code"] == 103 for i in json.loads(text)["metadata"]}

    def inventory(self):
        """What a workload could leave behind."""
        all_there = {"objects": sorted(self.objects())}
        if self.name == "docker":
            networks = json.loads(self.ask("GET", "/networks")[1])
            all_there["networks"] = sorted(n["Name"] for n in networks)
            volumes = json.loads(self.ask("GET", "/volumes")[1])["Volumes"] or []
            all_there["volumes"] = sorted(v["Name"] for v in volumes)
        else:
            pool = self.directory / "lxd/storage-pools/pool"
            all_there["volumes"] = sorted(
                str(p.relative_to(pool)) for p in pool.glob("*/*") if "image" not in str(p))
        mounts = self.enclosure.run(["cat", "/proc/mounts"]).stdout.splitlines()
        all_there["mounts"] = sorted(
            line.split()[1] for line in mounts if str(self.directory) in line
            and "/shmounts" not in line and "/devlxd" not in line)
        links = self.enclosure.run(["ip", "-o", "link"]).stdout.splitlines()
        all_there["links"] = sorted(line.split(": ")[1] for line in links)
        all_there["listening"] = sorted(
            line.split()[3] for line in self.enclosure.run(["ss", "-Htln"]).stdout.splitlines())
        names = self.enclosure.run(
            ["sh", "-c", "for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$p; echo; done"]
        ).stdout.splitlines()
        all_there["processes"] = sorted(
            name for name in names if "init" in name or "dropbear" in name or "httpd" in name
            or "shim" in name or "proxy" in name)
        return all_there

    def close(self):
        self.enclosure.close()


class Machines:
    """Of qemu: what runs is what the provider starts."""

    name = "kvm"

    def __init__(self, directory, images):
        self.directory = directory
        self.image = image("kvm-guest", images)
        self.enclosure = Enclosure(directory)

    def configure(self, config):
        config["backend_type"] = "Kvm"
        config["kvm"].update({"accelerator": "tcg",
                              "images": [{"name": "debian", "path": self.image}]})
        self.data = pathlib.Path(config["data_dir"])
        return "debian"

    def objects(self):
        running = self.enclosure.run(["pgrep", "-a", "qemu"]).stdout
        there = {d.name for d in self.data.glob("kvm/*")}
        # A machine without a directory is one that nobody would find again.
        there |= {word.partition("=")[2].partition(",")[0] for word in running.split()
                  if word.startswith("guest=")}
        return {name: f"guest={name}" in running for name in there}

    def close(self):
        self.enclosure.close()


class Market:
    """A relay and a mint, a provider on the engine, and a buyer."""

    def __init__(self, engine, programs):
        self.engine, self.programs = engine, programs
        self.directory = engine.directory / "market"
        self.services = engine.enclosure.start(
            [programs / "paygress", "dev", "--providers", "1", "--backend", "sandbox", "--json",
             "--data-dir", self.directory], engine.directory / "market.json")
        said = engine.directory / "market.json"

        def market():
            lines = [x for x in said.read_text(encoding="utf-8").splitlines() if x[:1] == "{"]
            return json.loads(lines[0]) if lines else None

        self.market = until(300, "the market", market)
        home = self.market["environment"]
        self.environment = dict(os.environ, **home)
        self.config = engine.directory / "provider.json"
        self.name = "on-" + engine.name
        self.write_config()
        self.provider = None
        self.start_provider()

    def write_config(self):
        config = json.loads((self.directory / "provider-1/provider-config.json").read_text())
        config.update({
            "nostr_private_key": secrets.token_hex(32), "provider_name": self.name,
            "vmid_range_start": 50000, "vmid_range_end": 59999,
            # Below the ports that the kernel gives to outgoing connections.
            "ssh_port_start": 20000, "ssh_port_end": 24999,
            "relay_events_per_second": 100,  # the relay is ours
            "data_dir": str(self.engine.directory / "data-of-provider"),
            "metrics_bind_addr": "127.0.0.1:39464", "templates_file": "templates.json",
            "capacity": {"cpu_millicores": 1000000, "memory_mb": 1000000, "storage_gb": 100000},
            "cashu_wallet_db_path": str(self.engine.directory / "unused-wallet")})
        box = self.engine.configure(config)
        self.config.write_text(json.dumps(config), encoding="utf-8")
        self.config.chmod(0o600)
        (self.engine.directory / "templates.json").write_text(json.dumps(
            {"version": 1, "templates": [
                {"slug": TEMPLATE, "images": [{"engine": self.engine.name, "image": box}],
                 "ports": [{"container_port": 80, "hint": "http", "label": "page"}],
                 "open_files_max": 4096, "cpu_millicores_min": 100, "memory_mb_min": 64,
                 "storage_gb_min": 1}]}), encoding="utf-8")

    def start_provider(self):
        self.provider = self.engine.enclosure.start(
            [self.programs / "paygress-provider", "run", "--config", self.config],
            self.engine.directory / "provider.log")

    def await_provider(self):
        def ready():
            asked = self.engine.enclosure.run(
                [self.programs / "paygress-provider", "status", "--json", "--config", self.config])
            return asked.returncode == 0 and json.loads(asked.stdout).get("ready")
        until(300, "the provider is ready", ready)

    def open_leases(self):
        """As the provider's status has them, by pod."""
        said = self.engine.enclosure.run(
            [self.programs / "paygress-provider", "status", "--json", "--config", self.config])
        expect(said.returncode == 0, said.stderr)
        return {lease["pod"]: lease for lease in json.loads(said.stdout)["leases"]
                if lease["open"]}

    def kill_provider(self):
        self.engine.enclosure.end(self.provider, signal.SIGKILL)

    def buy(self, *arguments, limit=400):
        return self.engine.enclosure.run([self.programs / "paygress", *arguments, "--json"],
                                         self.environment, limit)

    def spawn(self, seconds):
        done = self.buy("spawn", self.name, "--template", TEMPLATE, "--env", "RELAY_NAME=mine",
                        "--amount", seconds)
        expect(done.returncode == 0, f"spawn: {done.stderr} {done.stdout}")
        return json.loads(done.stdout)

    def login(self, lease, command):
        environment = dict(os.environ, SSHPASS=lease["ssh_password"])
        return self.engine.enclosure.run(
            ["sshpass", "-e", "ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o",
             "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-p", lease["ssh_port"],
             f"{lease['ssh_username']}@{lease['host']}", command], environment).stdout

    def page(self, lease):
        port = lease["ports"][0]["host_port"]
        return self.engine.enclosure.run(
            ["curl", "-sS", "-m", "5", f"http://{lease['host']}:{port}/"]).stdout

    def close(self):
        for started in (self.provider, self.services):
            if started.poll() is None:
                self.engine.enclosure.end(started, signal.SIGTERM)


def say(text):
    print(text, flush=True)


def story(engine, market):
    before = engine.inventory()
    lease = market.spawn(75)
    say(f"bought {lease['pod_id']}")
    expect(until(60, "root logs in", lambda: market.login(lease, "id -u")) == "0\n", "not root")
    expect("Hello from" in until(60, "the page", lambda: market.page(lease)), "another page")
    expect(len(engine.objects()) == 1, f"objects: {engine.objects()}")
    # Somebody else's password is not it.
    expect(market.login(dict(lease, ssh_password="x" * 16), "id -u") == "", "any password logs in")
    topped = market.buy("topup", lease["pod_id"], "--amount", 15)
    expect(topped.returncode == 0, f"topup: {topped.stderr}")
    expires = json.loads(topped.stdout)["expires_at"]
    # A sat buys a second; the mint keeps a fee.
    expect(expires >= lease["expires_at"] + 12, f"{expires} after {lease['expires_at']}")
    say("logged in, read the page, topped up")
    if engine.name == "docker":
        # The next list may be a minute away: the engine says it.
        def running():
            return market.open_leases()[lease["pod_id"]]["workload"] == "live"
        engine.ask("POST", f"/containers/{next(iter(engine.objects()))}/kill?signal=KILL")
        until(30, "its end is noticed", lambda: not running())
        until(120, "it is started again", running)
        say("killed from outside, noticed and started again")
    while time.time() < expires - 3:
        expect(engine.objects() and all(engine.objects().values()), "it ended early")
        time.sleep(1)
    until(300, "it is gone", lambda: not engine.objects())
    until(180, f"nothing is left of {before}", lambda: engine.inventory() == before)
    say("expired, and nothing is left")


def settle(engine, market, limit):
    """Every lease is over: nothing may be left, and nothing may have been there twice."""
    until(limit, "every object is gone", lambda: not engine.objects())
    market.open_leases()


def kill(engine, market, times):
    rng = random.Random(int(times))
    for phase in ("create", "stop", "delete"):
        lost = 0
        for n in range(int(times)):
            buying = market.engine.enclosure.start(
                [market.programs / "paygress", "spawn", market.name, "--template", TEMPLATE,
                 "--amount", "30", "--json"], engine.directory / "buyer.log", market.environment)
            if phase == "create":
                time.sleep(rng.uniform(0.05, 2.5))
            else:
                expect(buying.wait(timeout=240) == 0, "the lease was not answered")
                pod = json.loads((engine.directory / "buyer.log").read_text().splitlines()[-1])
                ending = market.engine.enclosure.start(
                    [market.programs / "paygress", "stop", pod["pod_id"], "--json"],
                    engine.directory / "ending.log", market.environment)
                time.sleep(rng.uniform(0.0, 0.7) if phase == "stop" else rng.uniform(0.7, 3.0))
            market.kill_provider()
            market.start_provider()
            market.await_provider()
            if phase == "create":
                lost += buying.wait(timeout=240) != 0
            else:
                ending.wait(timeout=240)
            names = [name.rsplit("-g", 1)[0] for name in engine.objects()]
            expect(len(names) == len(set(names)), f"a double: {names}")
            if n % 10 == 9:
                say(f"{phase}: {n + 1} kills")
        expect(lost == 0, f"{lost} leases were never answered")
    settle(engine, market, 180)
    say("no orphan, no double, no lease lost")


def away(engine, market, seconds):
    lease = market.spawn(int(seconds) + 120)
    until(30, "root logs in", lambda: market.login(lease, "touch /tmp/here; id -u"))
    engine.stop()
    time.sleep(int(seconds))
    engine.start()
    time.sleep(10)
    expect(len(engine.objects()) == 1 and all(engine.objects().values()), "not exactly one runs")
    expect(market.login(lease, "ls /tmp/here") == "/tmp/here\n", "it was started anew")
    until(240, "it is gone", lambda: not engine.objects())
    say("the lease went on, was forgotten by nobody, and was started once")


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def memory_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def child(started):
    path = pathlib.Path(f"/proc/{started.pid}/task/{started.pid}/children")
    return path.read_text(encoding="ascii").split()[0]


def buyers(market, count, money):
    """Environments: a wallet serves one command at a time."""
    homes = []
    for n in range(count):
        homes.append(dict(market.environment, PAYGRESS_HOME=str(market.directory / f"buyer-{n}")))
        minted = market.engine.enclosure.run(
            [market.programs / "paygress", "wallet", "mint", money, "--mint",
             market.market["mint"]], homes[-1])
        expect(minted.returncode == 0, f"wallet mint: {minted.stderr}")
    return homes


def many(engine, market, count):
    free = buyers(market, 8, int(count) * 1000)
    ours, theirs = child(market.provider), child(engine.process)
    used = [ticks(ours), ticks(theirs)]
    began = time.monotonic()
    took, waiting = [], []
    for n in range(int(count)):
        while not free:
            for each in [w for w in waiting if w[0].poll() is not None]:
                waiting.remove(each)
                free.append(each[2])
                expect(each[0].returncode == 0, f"spawn {n} failed: see buyers.log")
                took.append(time.monotonic() - each[1])
            time.sleep(0.02)
        home = free.pop()
        waiting.append((engine.enclosure.start(
            [market.programs / "paygress", "spawn", market.name, "--template", TEMPLATE,
             "--amount", "900", "--json"], engine.directory / "buyers.log", home),
            time.monotonic(), home))
    for process, since, _ in waiting:
        expect(process.wait(timeout=300) == 0, "a spawn failed: see buyers.log")
        took.append(time.monotonic() - since)
    whole = time.monotonic() - began

    def run():  # one that had to be made again may be there twice for a moment
        objects = engine.objects()
        return len(objects) == int(count) and all(objects.values())
    until(120, "all run, and nothing else", run)
    took.sort()
    used = [after - was for after, was in zip([ticks(ours), ticks(theirs)], used)]
    hertz = os.sysconf("SC_CLK_TCK")
    say(f"leases {count}  spawns/s {int(count) / whole:.2f}"
        f"  p50 {took[len(took) // 2]:.2f} s  p99 {took[int(len(took) * 0.99)]:.2f} s")
    say("            CPU s   MB at most")
    say(f"provider   {used[0] / hertz:6.1f}   {memory_mb(ours):6}")
    say(f"engine     {used[1] / hertz:6.1f}   {memory_mb(theirs):6}")


def main(arguments):
    if (len(arguments) not in (3, 5) or arguments[0] not in PROGRAM or
            arguments[0] == "kvm" and arguments[3:4] != ["kill"]):
        sys.exit(__doc__)
    name, programs, images = arguments[0], *(str(pathlib.Path(a).resolve()) for a in arguments[1:3])
    if os.geteuid() != 0 or not os.access(PROGRAM[name], os.X_OK):
        print(f"skipped: needs root and {PROGRAM[name]}")
        return 1 if os.environ.get("PAYGRESS_REQUIRE_ENGINES") else 77
    directory = pathlib.Path(tempfile.mkdtemp(prefix="paygress-e2e-"))
    directory.chmod(0o711)
    engine = market = None
    try:
        engine = Machines(directory, images) if name == "kvm" else Engine(name, directory, images)
        market = Market(engine, pathlib.Path(programs))
        market.await_provider()
        if len(arguments) == 3:
            story(engine, market)
        else:
            {"kill": kill, "away": away, "many": many}[arguments[3]](engine, market, arguments[4])
        market.close()
        return 0
    except (AssertionError, subprocess.TimeoutExpired) as problem:
        print(f"FAILED: {problem}")
        for log in ("provider.log", "engine.log", "market.json", "buyer.log",
                    "buyers.log"):
            path = directory / log
            if path.exists():
                last = path.read_text(errors="replace").splitlines()[-25:]
                print("\n".join([f"--- {log}", *last]))
        return 1
    finally:
        if engine:
            engine.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
