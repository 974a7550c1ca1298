#!/usr/bin/env python3
"""Each complaint of docs/complaints.md is held off by a test that exists, or says that none does.

usage: complaints.py [--self-test]
"""
import os
import re
import sys

from tree import ROOT, expect, read, report

PAGE = "docs/complaints.md"
# The last cell of a row: `file` `Suite.Test`, as many as are needed, or why there is none.
TEST = re.compile(r"`([\w/]+\.\w+)` `(\w+)\.(\w+)`")
MACRO = r"\b(?:TYPED_)?(?:TEST|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)(?:_[FP])?"
OPEN = "not held off yet: "
ROWS_MIN = 25 + 18  # those of operators and users, and those of the existing network


def rows_of(text):
    """(line number, last cell) of each row of a table, without its head."""
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or cells[-1] in ("test", "---"):
            continue
        yield number, cells[-1]


def test_problem(path, suite, name):
    if not os.path.isfile(os.path.join(ROOT, path)):
        return f"names `{path}`, which does not exist"
    if not re.search(rf"{MACRO}\(\s*{suite},\s*{name}\s*[,)]", read(path)):
        return f"names {suite}.{name}, which is not in `{path}`"
    return None


def problems_of(text):
    problems = []
    for number, cell in rows_of(text):
        tests = TEST.findall(cell)
        if not tests and len(cell) <= len(OPEN) or not tests and not cell.startswith(OPEN):
            problems.append(f"{PAGE}:{number}: names no test, and not why there is none")
        problems += [f"{PAGE}:{number}: {problem}"
                     for problem in (test_problem(*test) for test in tests) if problem]
    return problems


def self_test():
    file = "`tests/core/workload/supervisor_test.cpp`"
    planted = [f"| a | b | {file} `Supervisor.NoSuchTest` |",
               f"| a | b | {file} `Supervisor.UnknownChanges` |",
               "| a | b | `tests/nowhere_test.cpp` `Supervisor.UnknownChangesNoState` |",
               "| a | b | `Supervisor.UnknownChangesNoState` |", "| a | b |  |",
               "| a | b | not held off yet: |"]
    for text in planted:
        expect(problems_of(text), f"missed {text}")
    clean = ["| complaint | here | test |\n|---|---|---|",
             f"| a | b | {file} `Supervisor.UnknownChangesNoState` |",
             "| a | b | not held off yet: nobody has a printer |", "a | b"]
    for text in clean:
        expect(not problems_of(text), f"accused {text}")
    print(f"complaints: found all {len(planted)} planted violations, and none in clean text")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    text = read(PAGE)
    rows = len(list(rows_of(text)))
    problems = problems_of(text)
    if rows < ROWS_MIN:
        problems.append(f"{PAGE}: {rows} rows, not {ROWS_MIN}")
    return report("complaints", rows, problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
