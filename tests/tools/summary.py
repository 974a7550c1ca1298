#!/usr/bin/env python3
"""Adds up every part of a test run and ends with one line: N passed, N failed, N skipped.

Usage: summary.py NAME:JUNIT:RESULTS:EXIT:SECONDS ...

JUNIT is ctest's --output-junit file of a part. RESULTS is the folder in which each GoogleTest
program left NAME.xml. A program with such a file counts by its test cases, any other entry of
ctest (a script) counts as one. Exits 1 when a part failed or ran nothing.
"""
import os
import sys
import xml.etree.ElementTree as ET

GTEST_OK_STATUS = ("run",)


def reason(text, fallback="no reason given"):
    """The part of a skip message that a person wants to read."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    # GoogleTest puts "file:line" (and at times "Skipped") in front of the message.
    lines = [l for l in lines if not (l.rsplit(":", 1)[-1].isdigit() and ".cpp:" in l)]
    lines = [l for l in lines if l.lower() != "skipped"]
    return " ".join(lines[:2]) if lines else fallback


class Counts:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    @property
    def total(self):
        return self.passed + len(self.failed) + len(self.skipped)


def count_gtest(entry, path, entry_failed, counts):
    """Counts the cases of one GoogleTest program; returns how many ran or were skipped."""
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError:
        counts.failed.append(f"{entry} (left a damaged result file)")
        return 1
    seen = failures = 0
    for case in root.iter("testcase"):
        if case.get("status") not in GTEST_OK_STATUS:
            continue  # disabled or filtered out: never ran, so never counted
        seen += 1
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None:
            failures += 1
            counts.failed.append(f"{entry}: {name}")
        elif skipped is not None or case.get("result") == "skipped":
            counts.skipped.append((f"{entry}: {name}",
                                   reason(skipped.get("message") if skipped is not None else "")))
        else:
            counts.passed += 1
    if seen == 0:
        counts.failed.append(f"{entry} (ran nothing)")
    elif entry_failed and failures == 0:
        counts.failed.append(f"{entry} (failed outside its test cases)")
    return seen


def count_part(junit, results):
    counts = Counts()
    try:
        root = ET.parse(junit).getroot()
    except (OSError, ET.ParseError):
        return counts
    for case in root.iter("testcase"):
        entry = case.get("name")
        status = case.get("status")
        failed = status == "fail" or case.find("failure") is not None
        xml = os.path.join(results, entry + ".xml")
        if os.path.exists(xml):
            count_gtest(entry, xml, failed, counts)
        elif failed:
            counts.failed.append(entry)
        elif status == "run":
            counts.passed += 1
        elif case.find("skipped") is not None and status in ("notrun", "skipped"):
            output = case.findtext("system-out") or ""
            last = [l for l in output.splitlines() if l.strip()][-1:]
            message = case.find("skipped").get("message") or ""
            if "SKIP_RETURN_CODE" in message or "SKIP_REGULAR" in message:
                counts.skipped.append((entry, reason(last[0] if last else message)))
            else:
                counts.failed.append(f"{entry} (did not run: {message or 'no reason given'})")
        else:
            counts.failed.append(f"{entry} (status {status})")
    return counts


def main(arguments):
    passed = failed = skipped = 0
    bad = False
    lines = []
    for argument in arguments:
        name, junit, results, code, seconds = argument.split(":")
        counts = count_part(junit, results)
        if counts.total == 0:
            counts.failed.append(f"{name} (ran nothing)")
        elif int(code) != 0 and not counts.failed:
            counts.failed.append(f"{name} (ended with status {code})")
        bad = bad or bool(counts.failed)
        passed += counts.passed
        failed += len(counts.failed)
        skipped += len(counts.skipped)
        for test, why in counts.skipped:
            print(f"SKIPPED {name}: {test}: {why}")
        for test in counts.failed:
            print(f"FAILED  {name}: {test}")
        lines.append(f"{name:<14} {counts.passed:>6} passed {len(counts.failed):>4} failed "
                     f"{len(counts.skipped):>4} skipped {int(seconds):>6} s")
    print("\n".join(lines))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if bad or not arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
