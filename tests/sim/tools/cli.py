#!/usr/bin/env python3
"""paygress-sim as a person or a script uses it.

usage: cli.py verbs PROGRAM          every verb, its output and its exit status
       cli.py kept PROGRAM FOLDER    every history that was kept holds now, and is violated as
                                     FOUND without the rule that `# off: RULE FOUND` names; each
                                     rule of the money has one
"""
import json
import os
import re
import subprocess
import sys
import tempfile

USAGE, NOT_FOUND, FAILED, FINDINGS = 2, 3, 4, 7


def run(*command, folder=None):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=250,
                          cwd=folder)


def expect(condition, message):
    if not condition:
        sys.exit(f"cli: {message}")


def status(done, code, what):
    expect(done.returncode == code, f"{what}: status {done.returncode}, not {code}: "
                                    f"{done.stdout[-500:]}{done.stderr[-500:]}")


def verbs(program):
    with tempfile.TemporaryDirectory() as folder:
        status(run(program), USAGE, "no verb")
        status(run(program, "--help"), 0, "--help")
        status(run(program, "explode"), USAGE, "an unknown verb")
        status(run(program, "run", "nowhere"), NOT_FOUND, "an unknown scenario")
        status(run(program, "replay", "nothing.scenario", folder=folder), FAILED, "a missing file")
        status(run(program, "run", "first-lease", "--seeds", "5..1"), USAGE, "a backward range")
        lines = run(program, "list", "--json").stdout.splitlines()
        expect(len(lines) > 5 and "lease" in json.loads(lines[0])["marks"], f"list says {lines}")
        unknown = run(program, "run", "first-lease", "--plant", "nothing-of-that-name")
        status(unknown, USAGE, "an unknown planted bug")
        expect("redeem-no-restore" in unknown.stderr, f"no bug is named: {unknown.stderr}")
        garbage = os.path.join(folder, "garbage")
        for text, code in (("nonsense\n", FAILED), ("scenario nowhere seed=1\n", NOT_FOUND)):
            with open(garbage, "w", encoding="utf-8") as file:
                file.write(text)
            status(run(program, "replay", garbage), code, f"a file with {text}")

        swept = run(program, "sweep", "first-lease", "--seeds", "1..6", "--jobs", "2", "--json",
                    folder=folder)
        status(swept, 0, "sweep")
        summary = json.loads(swept.stdout)
        expect(summary["seeds"]["run"] == 6 and summary["violations"] == []
               and summary["marks"]["lease"] == 6, f"sweep says {swept.stdout}")

        # Two processes are at different seeds when one of them finds it: the first counts.
        said = [run(program, "rules", "money", "--off", "labels", "--jobs", jobs) for jobs in "12"]
        status(said[0], 0, "rules money")
        expect(said[0].stdout == said[1].stdout, f"with two jobs: {said[1].stdout}")

        fast = run(program, "sweep", "failover", "--seeds", "1..500", "--json", folder=folder)
        status(fast, 0, "sweep failover")
        summary = json.loads(fast.stdout)
        expect(summary["missing_marks"] == [] and summary["marks"]["promotion"] > 300
               and summary["seeds_per_s"] > 0, f"sweep failover says {fast.stdout}")
        for profile in ("recovery default", "recovery fast"):
            times = summary["samples"][profile]
            expect(0 < times["p50_us"] <= times["max_us"] <= times["bound_us"],
                   f"{profile}: {times}")

        plan = os.path.join(folder, "mine.scenario")
        status(run(program, "plan", "top-up", "--seed", "3", "--out", plan), 0, "plan")
        drawn = run(program, "run", "top-up", "--seed", "3").stdout.split("hash=")[1]
        replayed = run(program, "replay", plan)
        status(replayed, 0, "replay")
        expect(replayed.stdout.split("hash=")[1] == drawn, "a replayed plan has another hash")
        status(run(program, "diff", plan, "top-up:3"), 0, "diff of the same")
        status(run(program, "diff", plan, "top-up:4"), FINDINGS, "diff of two histories")
        status(run(program, "shrink", plan), FAILED, "shrink of a good history")
        page = os.path.join(folder, "page.html")
        status(run(program, "report", plan, "--out", page), 0, "report")
        expect("<svg" in open(page, encoding="utf-8").read(), "report writes no page")

        # A history in which nobody can answer: the finding is named, and small.
        unfair = os.path.join(folder, "unfair.scenario")
        with open(plan, encoding="utf-8") as file:
            text = file.read()
        with open(unfair, "w", encoding="utf-8") as file:
            file.write(text)
            for relay in ("relay-0", "relay-1", "relay-2"):
                file.write(f"fault cut provider-1 at=1s peer={relay} for=3600s\nfrozen {relay}\n")
        found = run(program, "replay", unfair)
        status(found, FINDINGS, "replay of a failing history")
        expect("VIOLATED unanswered" in found.stdout, f"replay says {found.stdout}")
        expect("beyond the budget" in found.stderr, "nobody is told that the history is unfair")
        small = run(program, "shrink", unfair, "--seconds", "60")
        status(small, 0, "shrink")
        lines = [line for line in small.stdout.splitlines() if not line.startswith("#")]
        expect(len(lines) <= 8, f"shrunk to {len(lines)} lines: {small.stdout}")

        planted = run(program, "run", "first-lease", "--plant", "redeem-no-restore")
        listed = run(program, "plants", "nothing-of-that-name")
        if listed.returncode == USAGE:  # a release: it holds none
            status(planted, USAGE, "--plant in a release")
            expect("holds no planted bugs" in planted.stderr, f"it says {planted.stderr}")
            with open(plan, "w", encoding="utf-8") as file:
                file.write(text.replace("seed=3", "seed=3 plant=redeem_no_restore", 1))
            status(run(program, "replay", plan), FAILED, "a planted history in a release")
    print("cli: every verb does what it says")


def planted_once(program, folder):
    """Each history that a planted bug made is violated with that bug, if this program holds it."""
    if run(program, "plants", "nothing-of-that-name").returncode == USAGE:
        return 0
    count = 0
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            head, _, text = file.read().partition("\n")
        if not head.startswith("# plant: "):
            continue
        bug, rule = head.split()[2:]
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(" seed=", f" plant={bug} seed=", 1))
            done = run(program, "replay", path)
        status(done, FINDINGS, f"{name} with {bug}")
        expect(f"VIOLATED {rule}" in done.stdout, f"{name} with {bug}: {done.stdout}")
        count += 1
    return count


def money_rules(folder):
    """The names of the rules, as sim/world/money_rules.cpp lists them."""
    path = os.path.join(folder, "..", "..", "..", "sim", "world", "money_rules.cpp")
    with open(path, encoding="utf-8") as file:
        return set(re.findall(r'^    \{"(\w+)", "', file.read(), re.MULTILINE))


def kept(program, folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".scenario"))
    expect(names, f"no history is kept in {folder}")
    missing = money_rules(folder)
    expect(len(missing) >= 20, "sim/world/money_rules.cpp cannot be read")
    for name in names:
        done = run(program, "replay", os.path.join(folder, name))
        status(done, 0, name)
        expect("beyond the budget" not in done.stderr, f"{name} is unfair: {done.stderr}")
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            off = re.findall(r"^# off: (\w+) (\S+)$", file.read(), re.MULTILINE)
        for rule, found in off:
            missed = run(program, "replay", os.path.join(folder, name), "--off", rule)
            status(missed, FINDINGS, f"{name} without {rule}")
            expect(f"VIOLATED {found}" in missed.stdout,
                   f"{name} without {rule} is not {found}: {missed.stdout}")
            missing.discard(rule)
    expect(not missing, f"no history is kept that misses {sorted(missing)}")
    planted = planted_once(program, folder)
    print(f"cli: {len(names)} kept histories hold, {planted} with their planted bug do not")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "verbs":
        return verbs(os.path.abspath(arguments[1]))
    if len(arguments) == 3 and arguments[0] == "kept":
        return kept(arguments[1], arguments[2])
    sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
