#!/usr/bin/env python3
"""Includes point down: read from every source file.

usage: layers.py [--self-test]

The build already refuses an include of what a layer does not link. This check also holds the order
itself, so that a link cannot be added upward, and the headers that a pure core does not use.
"""
import re
import sys

from tree import expect, read, report, tracked_files

CORE_ORDER = ["base", "crypto", "journal", "nostr", "cashu", "market", "workload", "lease",
              "failover", "provider", "consumer"]
# What each area may include of the others. shell/dev puts the simulator's models behind sockets.
AREAS = {"core": {"core"}, "sim": {"core", "sim"}, "shell": {"core", "shell"}}
MODEL_USERS = "shell/dev/"
MODELS = "sim/models/"

IMPURE = re.compile(
    r"thread|jthread|mutex|shared_mutex|condition_variable|future|random|fstream|iostream|ostream|"
    r"istream|sstream|iomanip|locale|filesystem|unordered_map|unordered_set|ctime|time\.h|format|"
    r"stop_token|semaphore|latch|barrier|unistd\.h|sys/.*|netinet/.*|arpa/.*|fcntl\.h|"
    r"boost/(asio|beast|filesystem|thread|random|process|log|unordered)(/.*|\.hpp)|sqlite3\.h|"
    r"curl/.*|spdlog/.*|fmt/.*|systemd/.*|CLI/.*")
# base/lookup.h wraps the one hash map there is, and hides its iteration.
IMPURE_ALLOWED = {("core/base/lookup.h", "unordered_map")}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)


def problem_of(path, include):
    """What is wrong with one include of one file, or None."""
    area = path.split("/")[0]
    parts = include.split("/")
    if parts[0] in AREAS:
        if parts[0] not in AREAS[area]:
            if not (path.startswith(MODEL_USERS) and include.startswith(MODELS)):
                return f"{area} must not include {include}"
        if area == "core" and parts[0] == "core":
            if parts[1] not in CORE_ORDER or path.split("/")[1] not in CORE_ORDER:
                return f"{include}: a layer that layers.py does not know"
            if CORE_ORDER.index(parts[1]) > CORE_ORDER.index(path.split("/")[1]):
                return f"{include} is a layer above"
    elif area == "core" and IMPURE.fullmatch(include) and (path, include) not in IMPURE_ALLOWED:
        return f"<{include}> has no place in a pure core"
    return None


def problems_of(path, text):
    found = []
    for match in INCLUDE.finditer(text):
        problem = problem_of(path, match.group(1))
        if problem:
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: {problem}")
    return found


def self_test():
    planted = [("core/base/a.h", "core/crypto/b.h"), ("core/market/a.cpp", "core/lease/b.h"),
               ("core/lease/a.h", "shell/net/b.h"), ("core/lease/a.h", "sim/world/b.h"),
               ("sim/world/a.h", "shell/net/b.h"), ("shell/net/a.h", "sim/models/b.h"),
               ("shell/dev/a.h", "sim/world/b.h"), ("core/nostr/a.h", "thread"),
               ("core/nostr/a.h", "unordered_map"), ("core/nostr/a.h", "boost/asio/ip/tcp.hpp")]
    for path, include in planted:
        expect(problems_of(path, f'// x\n#include "{include}"\n'), f"missed {include} in {path}")
    clean = [("core/lease/a.h", "core/base/b.h"),
             ("core/base/lookup.h", "unordered_map"),
             ("sim/world/a.h", "core/provider/b.h"), ("shell/dev/a.h", "sim/models/b.h"),
             ("shell/net/a.h", "thread"), ("core/base/a.h", "vector")]
    for path, include in clean:
        expect(not problems_of(path, f"#include <{include}>\n"), f"accused {include} in {path}")
    print(f"layers: found all {len(planted)} planted violations, and none in clean files")
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    paths = [p for p in tracked_files([".h", ".cpp"]) if p.split("/")[0] in AREAS]
    problems = [problem for path in paths for problem in problems_of(path, read(path))]
    return report("layers", len(paths), problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
