"""A development market as a test sees it: its programs, its consumer, and what of it runs."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

PATIENCE_S = 90       # of every wait
COMMAND_S = 120       # no command takes so long
END_S = 30            # nor does an orderly end
LOOK_EVERY_S = 0.1
PAGE_WITHIN_S = 0.5
SKIPPED = 77


def page_at(url):
    try:
        with urllib.request.urlopen(url, timeout=PAGE_WITHIN_S) as page:
            return page.status == 200
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def wait_for(what, condition, watch=lambda: None, patience=PATIENCE_S):
    """Looks until the condition is true; `watch` may end it with an exception of its own."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        watch()
        found = condition()
        if found:
            return found
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"not within {patience} s: {what}")


def words_of(pid):
    """Of the process's command line; none when it ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read().decode(errors="replace").split("\0")
    except OSError:
        return [""]


def runs(pid, program, config):
    """Whether the process is that program with that configuration."""
    words = words_of(pid)
    return os.path.basename(words[0]) == program and any(w.startswith(config) for w in words)


def left_processes(directory):
    """Of workloads: they name the provider's data directory, and are neither it nor its guard."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        words = words_of(pid)
        ours = os.path.basename(words[0]) in ("paygress", "paygress-provider", "paygress-guard")
        if not ours and any(directory in word for word in words):
            found.append(" ".join(words)[:200])
    return found


def listening(candidates):
    """Those of the ports that have a listener in the calling thread's network."""
    with open("/proc/thread-self/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    ports = {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A"}
    return sorted(ports & candidates)


class Market:
    """`paygress dev` with some providers, and the consumer's verbs against it.

    `inside` is a command that runs what follows it somewhere else (nsenter)."""

    def __init__(self, program, directory, providers=3, profile="demo", inside=()):
        self.program = program
        self.directory = directory
        self.inside = list(inside)
        self.said = os.path.join(directory, "said")
        with open(self.said, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [*inside, program, "dev", "--providers", str(providers), "--backend", "sandbox",
                 "--profile", profile, "--data-dir", os.path.join(directory, "market")],
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
        done = subprocess.run([*self.inside, self.program, *words, "--json"], env=self.env,
                              text=True, capture_output=True, timeout=COMMAND_S, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def provider_directory(self, name):
        return os.path.join(self.directory, "market", name.replace("dev-", "provider-"), "")

    def daemon(self, name):
        """The pid of the provider that is called so."""
        config = self.provider_directory(name)
        found = [pid for pid in os.listdir("/proc") if pid.isdigit()
                 and runs(pid, "paygress-provider", config)]
        assert len(found) == 1, f"{name}: {found}"
        return int(found[0])

    def provider(self, name, inside=()):
        path = os.path.join(self.provider_directory(name), "provider-config.json")
        return Provider(self.program + "-provider", path, inside)

    def take(self, name, settings, inside=()):
        """A provider that has sold nothing, with these settings, to be started by the test."""
        first = self.daemon(name)
        os.kill(first, signal.SIGKILL)
        directory = self.provider_directory(name)
        provider = self.provider(name, inside)
        with open(provider.config, encoding="utf-8") as text:
            config = json.load(text)
        config.update(settings)
        with open(provider.config, "w", encoding="utf-8") as out:
            json.dump(config, out)
        wait_for("the market's own provider is gone",
                 lambda: not runs(first, "paygress-provider", directory))
        shutil.rmtree(os.path.join(directory, "data"))
        return provider

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)


class Provider:
    """`paygress-provider run`, killed and started again."""

    def __init__(self, program, config, inside=()):
        self.program = program
        self.config = config
        self.inside = list(inside)
        self.log = open(os.path.join(os.path.dirname(config), "log"), "ab")
        self.process = None
        self.verified = 0

    def verb(self, *words):
        return subprocess.run([self.program, *words, "--config", self.config, "--json"], text=True,
                              capture_output=True, timeout=COMMAND_S, check=False)

    def start(self):
        self.process = subprocess.Popen([*self.inside, self.program, "run", "--config",
                                         self.config], stdout=self.log, stderr=self.log)

    def guarded(self):
        """Whether it takes warm-standby leases: its guard comes up beside it."""
        asked = self.verb("status")
        return asked.returncode == 0 and json.loads(asked.stdout).get("guard")

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the provider ended with {self.process.returncode}")
        asked = self.verb("status")
        return asked.returncode == 0 and json.loads(asked.stdout).get("ready")

    def kill(self):
        """And look at what it left."""
        if self.process.poll() is not None:
            raise AssertionError(f"the provider ended with {self.process.returncode}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return self.verify()

    def verify(self):
        done = self.verb("ledger", "verify")
        assert done.returncode == 0, f"ledger verify: {done.returncode}\n{done.stdout}{done.stderr}"
        self.verified += 1
        return json.loads(done.stdout)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
