#!/usr/bin/env python3
"""What README.md and docs/ name exists: paths, links, headings, verbs of ./dev, limits.

usage: docs.py [--self-test]
"""
import fnmatch
import functools
import os
import re
import sys

from tree import all_tracked_files, expect, read, report, tracked_files

TOP = ("core/", "shell/", "sim/", "tests/", "fuzz/", "bench/", "docs/", "cmake/", "packaging/",
       ".ci/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
VERB = re.compile(r"\./dev ([a-z]+)")
# A row of docs/limits.md: its number must be the value of the constant it names.
LIMIT = re.compile(r"\| (\d+) \| `(k\w+)` \| `([^`]+)` \|$")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def dev_verbs(text):
    """The verbs that ./dev knows: one function each."""
    return set(re.findall(r"^verb_([a-z]+)\(\)", text, re.MULTILINE))


def anchor(heading):
    """The anchor that a forge gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", ""))
    return kept.replace(" ", "-")


@functools.cache
def tracked_paths():
    """Every file that a clone has, and every folder that it therefore has."""
    paths = set(all_tracked_files())
    for path in list(paths):
        while (path := os.path.dirname(path)):
            paths.add(path)
    return paths


def exists(path):
    """Whether a clone has the path: a leftover of this machine does not count."""
    if "*" in path:
        return bool(fnmatch.filter(tracked_paths(), path))
    return os.path.normpath(path) in tracked_paths()


def link_problem(page, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, fragment = target.partition("#")
    full = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not exists(full):
        return f"link to {target}, which does not exist"
    if fragment and full.endswith(".md"):
        if fragment not in [anchor(h) for h in HEADING.findall(read(full))]:
            return f"link to {target}, which has no such heading"
    return None


def span_problem(span):
    word = span.split()[0] if span.split() else ""
    word = re.sub(r"[:,.;]+$", "", word)
    if not word.startswith(TOP) or re.search(r"[<>{}$]|[A-Z]{3,}|\.\.\.", word):
        return None  # no path of the tree, or one with a blank to fill in
    word = re.sub(r":\d+$", "", word)
    return None if exists(word) else f"`{word}`, which does not exist"


def constant(name, text):
    """The value of an integer constant in C++ text; None where it cannot be told."""
    match = re.search(rf"\b{name}\s*(?:=\s*([^;]+)|{{([^}}]+)}});", text)
    if not match:
        return None
    value = (match.group(1) or match.group(2)).replace("'", "").removesuffix("_s")
    value = re.sub(r"size_t\{(\d+)\}", r"\1", value)
    # Only digits and operators are left, so that evaluating it is safe.
    return eval(value, {}) if re.fullmatch(r"[\d\s+*()<-]+", value) else None


def limit_problem(number, name, path):
    if not exists(path):
        return None  # the path's own problem
    value = constant(name, read(path))
    return None if value == int(number) else f"{name} as {number}, which is {value} in {path}"


def problems_of(page, text, verbs):
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        problems = [link_problem(page, t) for t in LINK.findall(line)]
        problems += [span_problem(s) for s in SPAN.findall(line)]
        problems += [f"./dev {v}, which is no verb" for v in VERB.findall(line) if v not in verbs]
        problems += [limit_problem(*row) for row in LIMIT.findall(line)]
        found += [f"{page}:{number}: names {p}" for p in problems if p]
    return found


def self_test():
    verbs = {"test"}
    planted = ["[a](nowhere.md)", "see `core/nowhere/x.h`", "`./dev nonsense`",
               "[a](../README.md#no-such-heading)",
               "| x | 7 | `kProofsMax` | `core/cashu/types.h` |"]
    for text in planted:
        expect(problems_of("docs/a.md", text, verbs), f"missed {text}")
    clean = ["[a](../README.md)", "`tests/checks/docs.py`", "`./dev test --only unit`",
             "| x | 256 | `kProofsMax` | `core/cashu/types.h` |", "`core/<layer>/x.h`",
             "[a](https://example.org/x)", "`tests/core/*`"]
    for text in clean:
        expect(not problems_of("docs/a.md", text, verbs), f"accused {text}")
    expect("fresh" in dev_verbs(read("dev")), "does not see the verbs of ./dev")
    print(f"docs: found all {len(planted)} planted violations, and none in clean text")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    verbs = dev_verbs(read("dev"))
    pages = [p for p in tracked_files([".md"]) if p == "README.md" or p.startswith("docs/")]
    problems = [problem for page in pages for problem in problems_of(page, read(page), verbs)]
    return report("docs", len(pages), problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
