#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the project in its variants and runs every test: what `make check` does.

Stages, each with its own build where it needs one:
  unit         cmocka programs, gcc build
  sanitized    the same, with AddressSanitizer and UndefinedBehaviorSanitizer
  clang        the clang build, warnings are errors
  fuzz         each fuzz target over its corpus, then five seconds more
  house        layers, headers alone, manual pages against option rows
  integration  pytest against real peers

`tests/run.py STAGE...` runs only those. The last line is "N passed, N failed, N skipped".
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "--buildtype=debugoptimized"]


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def run(command, env=None, **kwargs):
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, check=False, **kwargs)


def build(directory, *options, env=None):
    """Configures and builds; a failed build is a failed test."""
    compiler = (env or {}).get("CC", "gcc")
    if shutil.which("ccache"):
        env = {**(env or {}), "CC": "ccache " + compiler}
    return run(["tools/build", directory, "-Dwerror=true", *options], env).returncode == 0


def meson_tests(directory, env=None, timeout=3):
    """Runs meson's test suite and counts its subtests where the log tells them."""
    count = Count()
    run(["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs",
         "--timeout-multiplier", str(timeout)], env)
    log = os.path.join(ROOT, directory, "meson-logs", "testlog.json")
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            result = json.loads(line)
            counts = re.search(r"\[  PASSED  \] (\d+) test", result.get("stdout", "") +
                               result.get("stderr", ""))
            if result["result"] == "OK":
                count.passed += int(counts.group(1)) if counts else 1
            elif result["result"] == "SKIP":
                count.skipped += 1
            else:
                count.failed += 1
                print("FAILED:", result["name"], flush=True)
    return count


def pytest(paths, env, name):
    """Runs pytest and counts from its JUnit report."""
    count = Count()
    report = os.path.join(ROOT, "build", f"{name}.xml")
    os.makedirs(os.path.dirname(report), exist_ok=True)
    if os.path.exists(report):
        os.unlink(report)
    run([PYTHON, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", "--durations=8",
         f"--junitxml={report}", *paths], env)
    if not os.path.exists(report):
        count.failed += 1
        return count
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        count.failed += bad
        count.skipped += int(suite.get("skipped"))
        count.passed += int(suite.get("tests")) - bad - int(suite.get("skipped"))
    return count


def verdict(good):
    count = Count()
    count.passed, count.failed = (1, 0) if good else (0, 1)
    return count


def stage_unit():
    if not build("build"):
        return verdict(False)
    return meson_tests("build")


def stage_sanitized():
    if not build("build-asan", *SANITIZE):
        return verdict(False)
    return meson_tests("build-asan", env={"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
                                          "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"},
                       timeout=6)


def stage_clang():
    return verdict(build("build-clang", env={"CC": "clang"}))


def stage_fuzz():
    result = run([PYTHON, "tests/fuzz/run.py", "--seconds", "5"], stdout=subprocess.PIPE,
                 text=True)
    print(result.stdout, end="", flush=True)
    count = Count()
    match = re.search(r"(\d+) passed, (\d+) failed", result.stdout)
    if match:
        count.passed, count.failed = int(match.group(1)), int(match.group(2))
    else:
        count.failed = 1
    return count


def stage_house():
    return pytest(["tests/house"], {"VS_BUILD": os.path.join(ROOT, "build")}, "house")


def stage_integration():
    return pytest(["tests/integration"], {"VS_BUILD": os.path.join(ROOT, "build"),
                                          "VS_BUILD_ASAN": os.path.join(ROOT, "build-asan")},
                  "integration")


STAGES = {"unit": stage_unit, "sanitized": stage_sanitized, "clang": stage_clang,
          "fuzz": stage_fuzz, "house": stage_house, "integration": stage_integration}


def main():
    names = sys.argv[1:] or list(STAGES)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        sys.exit(f"tests/run.py: no stage {unknown[0]}; there are {', '.join(STAGES)}")
    total = Count()
    lines = []
    for name in names:
        start = time.monotonic()
        print(f"== {name}", flush=True)
        count = STAGES[name]()
        total.add(count)
        lines.append(f"{name:12} {count.passed} passed, {count.failed} failed, "
                     f"{count.skipped} skipped, {time.monotonic() - start:.0f} s")
    print("\n== stages\n" + "\n".join(lines) + "\n")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    sys.exit(1 if total.failed or not total.passed else 0)


main()
