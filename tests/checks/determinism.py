#!/usr/bin/env python3
"""The same scenario and seed give the same hash.

usage: determinism.py processes PROGRAM        two processes of one build
       determinism.py builds FOLDER            compilers, optimisation levels and sanitizers
       determinism.py --self-test

`builds` makes paygress-sim in the trees of the presets release, clang and asan, which other verbs
build too, and in two trees of its own below FOLDER. Prints one line for each difference: scenario,
seed, and the hash of each run.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from tree import ROOT, expect

PROCESS_SEEDS = (1, 2)
BUILD_SEEDS = (1, 2, 3)
RUN_SECONDS_MAX = 300
HASH = re.compile(r"^.*\bhash=([0-9a-f]{16})\b", re.MULTILINE)

# name: the preset whose tree other verbs use too, or a compiler and flags for a tree of its own.
BUILDS = {
    "gcc-O0": ("g++", "-O0"),
    "gcc-O2": "release",
    "clang-O0": ("clang++-19", "-O0"),
    "clang-O2": "clang",
    "clang-asan": "asan",
}
TREES = {"release": "build", "clang": "build/clang", "asan": "build/asan"}


def scenarios(program):
    listed = subprocess.run([program, "list"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.split()]


def run(program, scenario, seed):
    """The hash of one run, or what went wrong."""
    try:
        done = subprocess.run([program, "run", scenario, "--seed", str(seed)], text=True,
                              capture_output=True, timeout=RUN_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return f"no end in {RUN_SECONDS_MAX} s"
    hashes = HASH.findall(done.stdout)
    if done.returncode != 0:
        return f"status {done.returncode}: {done.stderr.strip()[-200:]}"
    return hashes[-1] if hashes else "printed no hash="


def compare(programs, seeds):
    """programs: (name, path) of at least two runs. Prints differences; the exit status."""
    names = scenarios(programs[0][1])
    jobs = [(s, seed, n, path) for s in names for seed in seeds for n, path in programs]
    with concurrent.futures.ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        results = list(pool.map(lambda job: run(job[3], job[0], job[1]), jobs))
    groups = {}
    for (scenario, seed, name, _), result in zip(jobs, results):
        groups.setdefault((scenario, seed), []).append((name, result))
    bad = 0
    for (scenario, seed), outcomes in groups.items():
        values = {result for _, result in outcomes}
        if len(values) == 1 and HASH.match("hash=" + outcomes[0][1]):
            continue
        bad += 1
        told = ", ".join(f"{name} {result}" for name, result in outcomes)
        print(f"determinism: {scenario} seed {seed}: {told}")
    if not groups:
        print("determinism: no scenario to run")
        return 1
    print(f"determinism: {len(groups)} scenario runs in {len(programs)} ways each, {bad} differ")
    return 1 if bad else 0


def configure(folder, name):
    """The tree of a build, and the command that configures it."""
    how = BUILDS[name]
    launcher = "-DCMAKE_CXX_COMPILER_LAUNCHER=" + ("ccache" if shutil.which("ccache") else "")
    if isinstance(how, str):
        return os.path.join(ROOT, TREES[how]), ["cmake", "--preset", how, launcher]
    compiler, flags = how
    tree = os.path.join(folder, name)
    return tree, ["cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=",
                  f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={flags}", launcher,
                  "-DPAYGRESS_SHELL=OFF", "-DPAYGRESS_TESTS=OFF"]


def build(folder, name):
    tree, command = configure(folder, name)
    jobs = str(os.cpu_count() or 1)
    started = time.monotonic()
    for step in (command, ["cmake", "--build", tree, "--target", "paygress-sim", "-j", jobs]):
        done = subprocess.run(step, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode != 0:
            print(done.stdout[-4000:])
            sys.exit(f"determinism: {name} does not build")
    print(f"determinism: {name} built in {time.monotonic() - started:.0f} s", flush=True)
    return os.path.join(tree, "bin", "paygress-sim")


STEADY = '#!/bin/sh\n[ $1 = list ] && echo a && exit\necho hash=00000000000000a$4\n'
MOODY = '#!/bin/sh\n[ $1 = list ] && echo a && exit\nprintf "hash=%016x\\n" $$\n'
FAILING = '#!/bin/sh\n[ $1 = list ] && echo a && exit\necho hash=00000000000000a$4\nexit 1\n'
EMPTY = '#!/bin/sh\nexit 0\n'


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        def verdict(text):
            path = os.path.join(folder, "program")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)
            return compare([("first", path), ("second", path)], (1, 2))

        expect(verdict(STEADY) == 0, "accused a program that is steady")
        expect(verdict(MOODY) == 1, "missed a program that differs")
        expect(verdict(FAILING) == 1, "missed a program that fails")
        expect(verdict(EMPTY) == 1, "missed a program without scenarios")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) == 2 and arguments[0] == "processes":
        return compare([("first", arguments[1]), ("second", arguments[1])], PROCESS_SEEDS)
    if len(arguments) == 2 and arguments[0] == "builds":
        return compare([(name, build(arguments[1], name)) for name in BUILDS], BUILD_SEEDS)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
