#!/usr/bin/python3
"""Builds every fuzzer and runs each for a while from its corpus, one on each core. Usage: fuzz.py BUILD --seconds N

New inputs stay in BUILD/corpus; seeds are committed under tests/fuzz/corpus/NAME.
A crash prints its input's path and the report. Last line: N passed, N failed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def build_all(build):
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(build), "-Dfuzzers=true", "-Dbuildtype=debugoptimized",
                        "-Db_sanitize=address,undefined", "-Db_lundef=false"],
                       check=True, cwd=ROOT, env=dict(os.environ, CC="clang-14"), stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(build), "--quiet"], check=True, cwd=ROOT)


def run_one(binary, seconds, build):
    name = binary.name.removeprefix("fuzz_")
    corpus = build / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests/fuzz/corpus" / name
    args = [str(binary), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
            f"-artifact_prefix={build}/crash-{name}-", str(corpus)]
    if seeds.is_dir():
        args.append(str(seeds))
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    text = done.stdout.decode(errors="replace")
    last = [line for line in text.splitlines() if line.startswith("#")][-1:] or [""]
    report = f"{'ok' if done.returncode == 0 else 'FAILED':6} fuzz {name}: {last[0][:100]}\n"
    if done.returncode != 0:
        report += text[-6000:] + "\n"
    print(report, end="", flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    build = ROOT / options.build
    build_all(build)
    binaries = sorted(p for p in (build / "tests").rglob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda binary: run_one(binary, options.seconds, build), binaries))
    print(f"{sum(results)} passed, {len(results) - sum(results) + (not results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
