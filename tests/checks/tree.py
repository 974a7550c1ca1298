"""What every check of the tree needs: its root, its files, and how a check reports."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Data, not text of ours.
DATA = ("tests/vectors/", "fuzz/corpus/")


def all_tracked_files():
    """Paths of git's files, relative to the root; without git, every file outside build/."""
    # The tree may belong to the user who called sudo: git is told that this is fine.
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"],
                            capture_output=True, check=False)
    if listed.returncode == 0:
        paths = [p for p in listed.stdout.decode().split("\0") if p]
    else:
        paths = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in (".git", "build")]
            paths += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names]
    return paths


def tracked_files(suffixes=None):
    """The files that are text of ours, relative to the root."""
    paths = [p for p in all_tracked_files()
             if not p.startswith(DATA) and os.path.isfile(os.path.join(ROOT, p))]
    if suffixes:
        paths = [p for p in paths if p.endswith(tuple(suffixes))]
    return sorted(paths)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def report(check, looked_at, problems):
    """Prints the problems; the exit status of the check. Looking at nothing is a problem."""
    for problem in problems:
        print(f"{check}: {problem}")
    if looked_at == 0:
        print(f"{check}: found nothing to look at")
        return 1
    if not problems:
        print(f"{check}: {looked_at} looked at, nothing found")
    return 1 if problems else 0


def expect(condition, what):
    """For self-tests."""
    if not condition:
        print(f"self-test failed: {what}")
        sys.exit(1)
