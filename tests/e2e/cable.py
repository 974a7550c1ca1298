"""Two network namespaces with a cable between them, which can be pulled.

The demo's profile of fail-over works over loopback relays only, and markets listen on loopback: so
the inner side reaches the outer one's 127.0.0.1 through the cable, and has another loopback address
of its own. Nothing of the machine's own network is touched.
"""
import concurrent.futures
import ctypes
import os
import shutil
import subprocess

INNER_ADDRESS = "127.66.0.2"
CLONE_NEWNET = 0x40000000


class Unavailable(Exception):
    """Why this machine has no such namespaces."""


class Place:
    """A network; what is called here runs on threads that are in it."""

    def __init__(self, namespace=None):
        path = f"/run/netns/{namespace}"
        self.inside = ["nsenter", f"--net={path}"] if namespace else []
        enter = (lambda: enter_network(path)) if namespace else None
        self.pool = concurrent.futures.ThreadPoolExecutor(24, initializer=enter)

    def call(self, function, *arguments):
        return self.pool.submit(function, *arguments)

    def close(self):
        self.pool.shutdown(wait=True)


def enter_network(path):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, encoding="ascii") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter", path)


class Cable:
    """Made whole, or not at all; close() deletes both namespaces by name."""

    def __init__(self):
        names = [f"paygress-{os.getpid()}-{side}" for side in ("outer", "inner")]
        for program in ("ip", "nsenter"):
            if shutil.which(program) is None:
                raise Unavailable(f"needs {program}")
        self.names = []
        self.places = []
        try:
            for name in names:
                self.run("ip", "netns", "add", name)
                self.names.append(name)
            self.connect(*names)
            self.places = [Place(name) for name in names]
        except Unavailable:
            self.close()
            raise
        self.outer, self.inner = self.places

    @staticmethod
    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")

    def connect(self, outer, inner):
        self.run("ip", "link", "add", "outside", "netns", outer, "type", "veth",
                 "peer", "name", "inside", "netns", inner)
        for name, link in ((outer, "outside"), (inner, "inside")):
            self.run("ip", "-n", name, "link", "set", "lo", "up")
            # Else loopback addresses are never looked for at the other end.
            self.run("nsenter", f"--net=/run/netns/{name}", "sh", "-c",
                     f"echo 1 >/proc/sys/net/ipv4/conf/{link}/route_localnet")
        self.run("ip", "-n", inner, "address", "delete", "127.0.0.1/8", "dev", "lo")
        self.run("ip", "-n", inner, "link", "set", "inside", "up")
        self.run("ip", "-n", inner, "address", "add", f"{INNER_ADDRESS}/32", "dev", "inside")
        self.run("ip", "-n", inner, "route", "add", "127.0.0.1/32", "dev", "inside",
                 "src", INNER_ADDRESS)
        self.plug()

    def plug(self):
        self.run("ip", "-n", self.names[0], "link", "set", "outside", "up")
        self.run("ip", "-n", self.names[0], "route", "replace", f"{INNER_ADDRESS}/32",
                 "dev", "outside", "src", "127.0.0.1", "table", "local")

    def pull(self):
        self.run("ip", "-n", self.names[0], "link", "set", "outside", "down")

    def close(self):
        for place in self.places:
            place.close()
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], timeout=60, check=False)
