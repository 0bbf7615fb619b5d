#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the fuzz targets and runs each over its corpus, then on for some seconds.

What it finds is left in build-fuzz/found. The tree's corpus is not written to: new inputs are
kept in build-fuzz/corpus for the next run. The last line is "N passed, N failed"; each target
counts twice, for its corpus and for what was found beyond.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build-fuzz"
SANITIZE = "-fsanitize=fuzzer-no-link,address,undefined"
OPTIONS = ["-Dfuzzers=true", "-Dwerror=true", "-Db_lundef=false", f"-Dc_link_args=['{SANITIZE}']",
           f"-Dc_args=['{SANITIZE}', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer']"]


def build():
    """Configures if need be, and builds the targets only."""
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["meson", "setup", BUILD, *OPTIONS], cwd=ROOT, check=True,
                       env={**os.environ, "CC": "clang"}, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "fuzz-programs"], cwd=ROOT, check=True)


def attempt(name, what, arguments, limit):
    """Runs a target; returns whether it ended well, and what is to be printed."""
    program = BUILD / "tests" / "fuzz" / f"fuzz_{name}"
    found = BUILD / "found"
    found.mkdir(exist_ok=True)
    command = [program, f"-artifact_prefix={found}/{name}-", "-timeout=10", "-rss_limit_mb=2048",
               *arguments]
    try:
        done = subprocess.run(command, cwd=BUILD, stdin=subprocess.DEVNULL, timeout=limit,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        return False, f"{name:16} {what:8} FAILED: {failed}"
    output = done.stdout.decode(errors="replace")
    runs = [line for line in output.splitlines() if line.startswith(("Done ", "Executed "))]
    if done.returncode == 0:
        return True, f"{name:16} {what:8} ok {runs[-1] if runs else ''}"
    return False, f"{name:16} {what:8} FAILED, status {done.returncode}\n{output[-6000:]}"


def fuzz(name, seconds, seed):
    """Both parts of a target. With SEED 0 each run looks elsewhere."""
    seeds = HERE / "corpus" / name
    files = sorted(str(path) for path in seeds.glob("*")) if seeds.is_dir() else []
    if not files:
        return [(False, f"{name:16} corpus   FAILED: no seeds in {seeds}")]
    grown = BUILD / "corpus" / name
    grown.mkdir(parents=True, exist_ok=True)
    results = [attempt(name, "corpus", files, 120)]
    if seconds:
        results.append(attempt(name, "fuzzing", [f"-max_total_time={seconds}", f"-seed={seed}",
                                                 "-max_len=16384", "-print_final_stats=1", grown,
                                                 seeds],
                               seconds + 60))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="for each target (default 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: by chance)")
    parser.add_argument("target", nargs="*", help="X of fuzz_X.c (default: all)")
    arguments = parser.parse_args()
    names = arguments.target or sorted(path.stem[len("fuzz_"):] for path in HERE.glob("fuzz_*.c"))
    try:
        build()
    except (OSError, subprocess.CalledProcessError) as failed:
        print(f"the build failed: {failed}\n0 passed, {len(names) or 1} failed")
        sys.exit(1)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for results in pool.map(lambda name: fuzz(name, arguments.seconds, arguments.seed),
                                names):
            for good, text in results:
                print(text, flush=True)
                passed += good
                failed += not good
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


main()
