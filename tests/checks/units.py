"""The systemd units say what they must, and systemd understands them.

units.py DIRECTORY    the configured units, which name this tree's programs
units.py --self-test  shows that each rule finds its violation
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

# What must stand in a unit, because a document promises it.
MUST = {
    "paygress-provider.service": {
        "Type=notify": "systemd knows when the offer is out",
        "KillMode=process": "a restart touches no workload",
        "Delegate=yes": "workloads have cgroups below ours",
        "Restart=on-failure": "a daemon that broke comes back",
    },
    "paygress-guard.service": {
        "KillMode=process": "an end of the guard ends no workload",
        "Restart=always": "nothing runs unguarded for long",
        "RuntimeDirectoryPreserve=restart": "a restarted guard knows the deadlines",
        "PrivateNetwork=yes": "the guard needs no network",
        "StartLimitIntervalSec=0": "it is never given up",
    },
}
MUST_BEGIN = {"paygress-provider.service": {"WatchdogSec=": "a loop that hangs is ended"}}


def lacks(directory):
    found = []
    for unit, rules in MUST.items():
        lines = (directory / unit).read_text().splitlines()
        found += [f"{unit}: no {rule} ({why})" for rule, why in rules.items() if rule not in lines]
        for rule, why in MUST_BEGIN.get(unit, {}).items():
            if not any(line.startswith(rule) for line in lines):
                found.append(f"{unit}: no {rule} ({why})")
    return found


def misunderstood(directory):
    """None where there is no systemd to ask."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return None
    units = [str(directory / unit) for unit in MUST]
    asked = subprocess.run([program, "verify", *units], capture_output=True, text=True)
    said = [line for line in asked.stderr.splitlines() if "paygress" in line]
    return said or (["systemd-analyze: " + asked.stderr.strip()] if asked.returncode else [])


def self_test(directory):
    with tempfile.TemporaryDirectory() as copy:
        planted = pathlib.Path(copy)
        for unit in MUST:
            shutil.copy(directory / unit, planted / unit)
        assert lacks(planted) == []
        for unit, rules in MUST.items():
            whole = (planted / unit).read_text()
            for rule in rules:
                (planted / unit).write_text(whole.replace(rule, "# gone", 1))
                assert lacks(planted), rule
            (planted / unit).write_text(whole)
        guard = planted / "paygress-guard.service"
        guard.write_text(guard.read_text().replace("Restart=always", "Restart=allways"))
        assert misunderstood(planted) != [], "systemd takes anything"
    print("units: every planted violation was found")
    return 0


def main():
    directory = pathlib.Path(sys.argv[-1])
    if sys.argv[1] == "--self-test":
        return self_test(directory)
    found = lacks(directory)
    verified = misunderstood(directory)
    found += verified or []
    for line in found:
        print("units: " + line)
    if not found and verified is None:
        print("units: skipped: no systemd-analyze here")
        return 77
    print(f"units: {len(MUST)} looked at, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
