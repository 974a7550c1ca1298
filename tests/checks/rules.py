#!/usr/bin/env python3
"""No program that serves anybody can switch a rule off (core/base/rule.h).

usage: rules.py [--self-test]
"""
import re
import sys

from tree import expect, read, report, tracked_files

ALLOWED = ("core/base/rule.h", "sim/models/rule_switch.h")
SWITCH = re.compile(r"\bRuleSwitch\b|rule_switch\.h")


def problems_of(path, text):
    serves = path.startswith(("core/", "shell/", "sim/models/", "fuzz/", "bench/"))
    if path in ALLOWED or not serves:
        return []
    return [f"{path}:{number}: a rule can be switched off here"
            for number, line in enumerate(text.splitlines(), 1) if SWITCH.search(line)]


def self_test():
    planted = [("shell/provider/daemon.cpp", "RuleSwitch::off(p.restore);"),
               ("core/cashu/a.h", "struct RuleSwitch { };"),
               ("sim/models/mint.cpp", '#include "sim/models/rule_switch.h"')]
    for path, text in planted:
        expect(problems_of(path, text), f"missed {text!r}")
    clean = [("core/base/rule.h", "friend struct RuleSwitch;"),
             ("tests/sim/a_test.cpp", "RuleSwitch::off(p.restore);"),
             ("shell/provider/daemon.cpp", "if (policy.restore) return;")]
    for path, text in clean:
        expect(not problems_of(path, text), f"accused {text!r}")
    print(f"rules: found all {len(planted)} planted violations, and none in clean text")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    paths = tracked_files((".h", ".cpp"))
    problems = [problem for path in paths for problem in problems_of(path, read(path))]
    return report("rules", len(paths), problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
