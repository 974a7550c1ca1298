#!/usr/bin/env python3
"""The sum of a test run is honest: tests of tests/tools/summary.py."""
import contextlib
import io
import os
import sys
import tempfile

from tree import ROOT, expect

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import summary  # noqa: E402  (its folder is known only here)

JUNIT = '<testsuite>{}</testsuite>'
PASSED = '<testcase name="{}" status="run"><system-out></system-out></testcase>'
FAILED = '<testcase name="{}" status="fail"><failure message=""/></testcase>'
SKIPPED = ('<testcase name="{}" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
           '<system-out>no such engine</system-out></testcase>')
NOT_FOUND = '<testcase name="{}" status="notrun"><skipped message="Unable to find executable"/>' \
            '</testcase>'
GTEST = '<testsuites><testsuite name="A">{}</testsuite></testsuites>'
CASE = '<testcase name="x" classname="A" status="run" result="completed"/>'
CASE_FAILED = ('<testcase name="y" classname="A" status="run" result="completed"><failure/>'
               '</testcase>')
CASE_SKIPPED = ('<testcase name="z" classname="A" status="run" result="skipped">'
                '<skipped message="a_test.cpp:2&#x0A;no peer"/></testcase>')
CASE_DISABLED = '<testcase name="d" classname="A" status="notrun" result="suppressed"/>'


def outcome(junit, gtest=None, code=0):
    """(exit status, last line, everything printed) for one part."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "junit.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(JUNIT.format(junit))
        for name, text in (gtest or {}).items():
            with open(os.path.join(folder, name + ".xml"), "w", encoding="utf-8") as file:
                file.write(GTEST.format(text))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = summary.main([f"part:{path}:{folder}:{code}:3"])
        return status, out.getvalue().splitlines()[-1], out.getvalue()


def main():
    a = PASSED.format("a")
    cases = [
        ("a script counts once", (a,), 0, "1 passed, 0 failed, 0 skipped"),
        ("a program counts its cases", (a, {"a": CASE * 3}), 0, "3 passed, 0 failed, 0 skipped"),
        ("disabled cases never ran", (a, {"a": CASE + CASE_DISABLED}), 0,
         "1 passed, 0 failed, 0 skipped"),
        ("a failed case", (FAILED.format("a"), {"a": CASE + CASE_FAILED}, 8), 1,
         "1 passed, 1 failed, 0 skipped"),
        ("a program that died", (FAILED.format("a"), {}, 8), 1, "0 passed, 1 failed, 0 skipped"),
        ("a leak at the end", (FAILED.format("a"), {"a": CASE}, 8), 1,
         "1 passed, 1 failed, 0 skipped"),
        ("skipped cases", (a, {"a": CASE + CASE_SKIPPED}), 0, "1 passed, 0 failed, 1 skipped"),
        ("a skipped script", (SKIPPED.format("a"),), 0, "0 passed, 0 failed, 1 skipped"),
        ("a program not built", (NOT_FOUND.format("a"), {}, 8), 1,
         "0 passed, 1 failed, 0 skipped"),
        ("a program without cases", (a, {"a": ""}), 1, "0 passed, 1 failed, 0 skipped"),
        ("a part that ran nothing", ("",), 1, "0 passed, 1 failed, 0 skipped"),
        ("a part that failed otherwise", (a, {}, 8), 1, "1 passed, 1 failed, 0 skipped"),
    ]
    for what, arguments, status, line in cases:
        got = outcome(*arguments)
        expect(got[0] == status and got[1] == line, f"{what}: {got[0]}, {got[1]!r}")
    expect("A.z: no peer" in outcome(a, {"a": CASE_SKIPPED})[2], "the reason of a skip")
    expect("no such engine" in outcome(SKIPPED.format("a"))[2], "the reason of a skipped script")
    print(f"summary: {len(cases)} cases as expected")


if __name__ == "__main__":
    main()
