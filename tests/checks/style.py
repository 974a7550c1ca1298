#!/usr/bin/env python3
"""Sizes, and words that do not belong in the tree.

usage: style.py [--self-test]
"""
import re
import sys

from tree import expect, read, report, tracked_files

LINES_MAX = 600     # of a C++ file
COLUMNS_MAX = 100   # of a line of code or script
SCRIPTS = (".py", ".sh", ".mjs", ".cmake", "CMakeLists.txt", "dev", ".ci/run")
TEXTS = SCRIPTS + (".h", ".cpp", ".md", ".txt", ".json", ".in", ".service", ".yml")

# Written with brackets so that this file is no finding of its own.
BANNED = [
    (re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b"), "unfinished business"),
    # /root/.ollama is a folder inside a tenant's container.
    (re.compile(r"(?<![\w.])/(wor[k]|far[m]|roo[t](?!/\.ollama)|hom[e])/[\w.]"),
     "a path of one machine"),
    (re.compile(r"npm[j]s\.(org|com)|py[p]i\.org|python[h]osted\.org|crates[.]io|"
                r"proxy\.golan[g]"), "the host of a package registry"),
]


def problems_of(path, text):
    found = []
    lines = text.splitlines()
    cpp = path.endswith((".h", ".cpp"))
    if cpp and len(lines) > LINES_MAX:
        found.append(f"{path}: {len(lines)} lines, more than {LINES_MAX}")
    for number, line in enumerate(lines, 1):
        if (cpp or path.endswith(SCRIPTS)) and len(line) > COLUMNS_MAX:
            found.append(f"{path}:{number}: {len(line)} columns, more than {COLUMNS_MAX}")
        for pattern, what in BANNED:
            if pattern.search(line):
                found.append(f"{path}:{number}: {what}: {line.strip()[:80]}")
    return found


def self_test():
    planted = ["x\n" * (LINES_MAX + 1), "x" * (COLUMNS_MAX + 1), "// TO" + "DO: later",
               'open("/wor' + 'k/x")', "https://registry.npm" + "js.org/"]
    for text in planted:
        expect(problems_of("core/a.h", text), f"missed {text[:40]!r}")
    clean = ["x\n" * LINES_MAX, "x" * COLUMNS_MAX, "// see build/work/x and a/root/b", "homework"]
    for text in clean:
        expect(not problems_of("core/a.h", text), f"accused {text[:40]!r}")
    print(f"style: found all {len(planted)} planted violations, and none in clean text")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    paths = tracked_files(TEXTS)
    problems = [problem for path in paths for problem in problems_of(path, read(path))]
    return report("style", len(paths), problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
