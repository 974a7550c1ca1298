#!/usr/bin/env python3
"""conformance.py RESULTS [--write PAGE]: the engines' conformance as a table.

RESULTS is a directory of gtest's XML reports. Prints one line per engine and check, and exits 1
when a check failed or there is none. With --write the table between the two markers of a page is
replaced: checks down, engines across.
"""

import pathlib
import sys
import xml.etree.ElementTree as xml

SUITES = ("BackendConformance", "Enforcement")
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"


def outcome(case):
    """('pass' | 'limit' | 'skipped' | 'FAIL', why)"""
    if case.find("failure") is not None:
        return "FAIL", ""
    skipped = case.find("skipped")
    if skipped is None:
        return "pass", ""
    # gtest begins the message with where it was said.
    why = skipped.get("message", "").splitlines()[-1].strip()
    if why.startswith("limit: "):
        return "limit", why.removeprefix("limit: ")
    return "skipped", why


def read(directory):
    """{check: {engine: outcome}} in the order of the suites."""
    found = {}
    for path in sorted(pathlib.Path(directory).glob("*.xml")):
        for suite in xml.parse(path).getroot().iter("testsuite"):
            engine, _, name = suite.get("name").partition("/")
            if name not in SUITES:
                continue
            for case in suite.iter("testcase"):
                check = case.get("name").partition("/")[0]
                found.setdefault(check, {})[engine] = outcome(case)
    return found


def words(check):
    """'StartServesAndStopEnds' -> 'start serves and stop ends'"""
    spaced = "".join(" " + c.lower() if c.isupper() else c for c in check)
    return spaced.strip().replace("ssh", "SSH")


def table(found):
    engines = sorted({engine for row in found.values() for engine in row})
    notes = {}
    lines = ["| | " + " | ".join(engines) + " |", "|---" * (len(engines) + 1) + "|"]
    for check, row in found.items():
        cells = []
        for engine in engines:
            result, why = row.get(engine, ("", ""))
            if result in ("limit", "skipped"):
                result = f"{result} ({notes.setdefault(why, len(notes) + 1)})"
            cells.append(result or "-")
        lines.append(f"| {words(check)} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.extend(f"({number}) {why}  " for why, number in notes.items())
    return "\n".join(line.rstrip() if line.startswith("|") else line.strip() for line in lines)


def write(page, text):
    path = pathlib.Path(page)
    content = path.read_text(encoding="utf-8")
    head, begin, rest = content.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f"conformance.py: {page} has no markers")
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    found = read(arguments[0])
    failed = 0
    for check, row in found.items():
        for engine, (result, why) in sorted(row.items()):
            print(f"{engine:<9} {check:<52} {result}{': ' + why if why else ''}")
            failed += result == "FAIL"
    if arguments[1:2] == ["--write"]:
        write(arguments[2], table(found))
    if not found:
        sys.exit("conformance.py: no engine was tested")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
