#!/usr/bin/env python3
"""A forbidden call made while a world runs ends the simulator.

usage: tripwire.py PROBE SIMULATOR

PROBE is tests/checks/tripwire/probe.cpp, linked as the simulator is. SIMULATOR must hold the same
wires.
"""
import signal
import subprocess
import sys

from tree import expect

CALLS = ("time", "clock_gettime", "system_clock", "steady_clock", "getrandom", "getentropy",
         "random_device", "open", "socket", "getenv")


def wires(program):
    """The symbols that lead to a tripwire in a program."""
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True)
    names = [line.split()[-1] for line in listing.stdout.splitlines() if line.strip()]
    return {name for name in names if name.startswith("__wrap_")}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    probe, simulator = arguments
    expect(run(probe, "nothing").returncode == 0, "the probe fails without a planted call")
    for call in CALLS:
        done = run(probe, call)
        expect(done.returncode == -signal.SIGABRT and "tripwire: " in done.stderr,
               f"{call} does not trip: status {done.returncode}, {done.stderr!r}")
    expect(run(probe, "steady_clock", "unarmed").returncode == 0,
           "the steady clock trips although no world runs")
    expect(wires(simulator) and wires(simulator) == wires(probe),
           "the simulator has other wires than the probe")
    print(f"tripwire: {len(CALLS)} planted calls end the program; {len(wires(simulator))} wires")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
