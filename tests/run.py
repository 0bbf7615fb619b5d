#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the project in its variants and runs every test: what `make check` does.

Stages, each with its own build where it needs one:
  unit         cmocka programs, gcc build
  sanitized    the same, with AddressSanitizer and UndefinedBehaviorSanitizer; what strangers can
               do to that switch, and the supervisor of umvu
  clang        the same, built by clang
  fuzz         each fuzz target over its corpus, then five seconds more
  house        layers, headers alone, manual pages against option rows, style
  integration  pytest against real peers

Warnings are errors in each build. `tests/run.py STAGE...` runs only those. A stage that cannot be
built, dies, or takes longer than its limit is a failure; what the machine lacks is skipped, and
with CI=true a failure, too. The last line is "N passed, N failed, N skipped".
"""
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
SANITIZE = ("-Db_sanitize=address,undefined", "-Db_lundef=false", "--buildtype=debugoptimized")
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
HOSTILE = [f"tests/integration/test_{name}.py"
           for name in ("hostile", "defects", "console", "control", "vlan", "frames")]
# umvu itself: the resident has no sanitizer, since it has no C library.
SUPERVISOR = [f"tests/integration/test_umvu_{name}.py"
              for name in ("supervisor", "view", "options", "debugtags", "confine")]
BUILD_LIMIT = 600  # seconds


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def in_ci():
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def failure(why):
    print("FAILED:", why, flush=True)
    return Count(failed=1)


def lacking(what):
    """What the machine lacks is skipped on a developer's machine, and fails where it is set up."""
    if in_ci():
        return failure(f"{what} is missing, and CI is set (tools/setup all installs it)")
    print(f"SKIPPED: {what} is missing (tools/setup all installs it)", flush=True)
    return Count(skipped=1)


def run(command, limit, env=None, capture=False):
    """Runs a command; returns (status, output). Past LIMIT seconds, it and its children are killed
    and the status is None. The output is "" unless it is captured.
    """
    print("+", " ".join(command), flush=True)
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})},
                             stdin=subprocess.DEVNULL, start_new_session=True, text=True,
                             errors="replace", stdout=subprocess.PIPE if capture else None)
    output = ""
    try:
        output = child.communicate(timeout=limit)[0] or ""
    except subprocess.TimeoutExpired:
        print(f"FAILED: not done after {limit} s: {' '.join(command)}", flush=True)
        return None, output
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    return child.returncode, output


@functools.lru_cache(maxsize=None)
def build(directory, *options, compiler="gcc"):
    """Configures and builds once in a run; True when that went well."""
    start = time.monotonic()
    status, _ = run(["tools/build", directory, "-Dwerror=true", *options], BUILD_LIMIT,
                    {"CC": compiler})
    print(f"{directory}: {time.monotonic() - start:.0f} s", flush=True)
    return status == 0


def count_result(result):
    """The subtests of one entry of meson's log, where its output tells them."""
    text = result.get("stdout", "") + result.get("stderr", "")
    passed = re.search(r"\[  PASSED  \] (\d+) test", text)
    skipped = re.search(r"\[  SKIPPED \] (\d+) test", text)
    if result["result"] == "OK":
        return Count(int(passed.group(1)) if passed else 1,
                     skipped=int(skipped.group(1)) if skipped else 0)
    if result["result"] == "SKIP":
        return Count(skipped=1)
    return failure(result["name"])


def meson_tests(directory, limit, env=None, slowness=3):
    """Runs meson's test suite of a build and counts its subtests."""
    log = os.path.join(ROOT, directory, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    status, _ = run(["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs",
                     "--timeout-multiplier", str(slowness)], limit, env)
    count = Count()
    if os.path.exists(log):
        with open(log, encoding="utf-8") as lines:
            for line in lines:
                count.add(count_result(json.loads(line)))
    if not count.passed + count.failed + count.skipped:
        count.add(lacking("cmocka, or any unit test") if status == 0
                  else failure(f"meson test, status {status}"))
    elif status != 0 and not count.failed:
        count.add(failure(f"meson test, status {status}"))
    return count


def pytest(paths, limit, name, env):
    """Runs pytest and counts from its JUnit report. PATHS may have options among them."""
    if not os.path.exists(os.path.join(ROOT, paths[0])):
        return failure(f"there is no {paths[0]}")
    report = os.path.join(ROOT, "build", f"{name}.xml")
    os.makedirs(os.path.dirname(report), exist_ok=True)
    if os.path.exists(report):
        os.unlink(report)
    status, _ = run([PYTHON, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider",
                     "--durations=12", f"--junitxml={report}", *paths], limit, env)
    count = Count()
    if os.path.exists(report):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            bad = int(suite.get("failures")) + int(suite.get("errors"))
            skipped = int(suite.get("skipped"))
            count.add(Count(int(suite.get("tests")) - bad - skipped, bad, skipped))
    if status != 0 and not count.failed:
        count.add(failure(f"pytest {paths[0]}, status {status}"))
    return count


def stage_unit():
    if not build("build"):
        return failure("the gcc build")
    return meson_tests("build", 240)


def stage_sanitized():
    if not build("build-asan", *SANITIZE):
        return failure("the sanitized build")
    count = meson_tests("build-asan", 480, env=SANITIZERS, slowness=6)
    count.add(pytest([*HOSTILE, *SUPERVISOR, "-k", "not debian"], 480, "sanitized",
                     {"VS_BUILD": os.path.join(ROOT, "build-asan"), **SANITIZERS}))
    return count


def stage_clang():
    if not shutil.which("clang"):
        return lacking("clang")
    if not build("build-clang", compiler="clang"):
        return failure("the clang build")
    return meson_tests("build-clang", 240)


def stage_fuzz():
    if not shutil.which("clang"):
        return lacking("clang with libFuzzer")
    # Always the same mutations: a change is not to fail for what it did not touch. `make fuzz` goes further.
    status, output = run([PYTHON, "tests/fuzz/run.py", "--seconds", "5", "--seed", "1"], 600,
                         capture=True)
    print(output, end="", flush=True)
    match = re.search(r"(\d+) passed, (\d+) failed\s*$", output)
    if not match:
        return failure(f"tests/fuzz/run.py, status {status}")
    count = Count(int(match.group(1)), int(match.group(2)))
    if status != 0 and not count.failed:
        count.add(failure(f"tests/fuzz/run.py, status {status}"))
    return count


def stage_house():
    if not build("build"):
        return failure("the gcc build")
    return pytest(["tests/house"], 240, "house", {"VS_BUILD": os.path.join(ROOT, "build")})


def stage_integration():
    if not build("build"):
        return failure("the gcc build")
    return pytest(["tests/integration"], 1500, "integration",
                  {"VS_BUILD": os.path.join(ROOT, "build"),
                   "VS_BUILD_ASAN": os.path.join(ROOT, "build-asan")})


STAGES = {"unit": stage_unit, "sanitized": stage_sanitized, "clang": stage_clang,
          "fuzz": stage_fuzz, "house": stage_house, "integration": stage_integration}


def run_stage(name):
    """A stage that raises is a failed test, not the end of the others."""
    print(f"== {name}", flush=True)
    try:
        return STAGES[name]()
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return failure(f"stage {name}")


def main():
    names = sys.argv[1:] or list(STAGES)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        sys.exit(f"tests/run.py: no stage {unknown[0]}; there are {', '.join(STAGES)}")
    total = Count()
    lines = []
    for name in names:
        start = time.monotonic()
        count = run_stage(name)
        total.add(count)
        lines.append(f"{name:12} {count}, {time.monotonic() - start:.0f} s")
    print("\n== stages\n" + "\n".join(lines) + "\n")
    print(total, flush=True)
    sys.exit(1 if total.failed or not total.passed else 0)


main()
