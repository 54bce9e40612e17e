"""`make bench`: probe, verify, measure, report, one after the other, and what part of the time was measuring."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from hwprobe import label
from suites import launch, profiles
from suites.guard import SIGNALS

BELOW_TIER, FAILED = 3, 3
SOME_FAILED = 2  # asv's exit code when benchmarks failed
INTERRUPTED = tuple(128 + number for number in SIGNALS)


def main() -> int:
    """Run all steps; 0 if there is a report and every proof held, 3 if a proof failed, else a failed step's code."""
    try:
        profile = profiles.current()
        label.current()
    except ValueError as error:
        print(f"evenbench: {error}", file=sys.stderr)
        return 2
    if problem := launch.problem(Path.cwd()):
        print(f"evenbench: {problem}", file=sys.stderr)
        return 2
    start = monotonic()
    print(f"== evenbench, profile {profile.name} ==", flush=True)
    ready = _step("1/4 is this machine ready?", "probe")
    if ready in INTERRUPTED:
        return ready
    if ready == BELOW_TIER:
        print("Below the minimum: what can run here is run, and the report says so.\n", flush=True)
    verify_start = monotonic()
    proof = _step("2/4 do the programs do the same work?", "verify")
    verifying = monotonic() - verify_start
    if proof not in (0, FAILED):
        return proof
    before = _manifests()
    code = _step("3/4 measuring", "run")
    if code not in (0, SOME_FAILED) or (code and _manifests() == before):  # refused, and not a benchmark that failed
        return code
    if code := _step("4/4 report", "report"):
        return code
    total = monotonic() - start
    measured = _newest_manifest()["time"]["measured_s"]
    share = (measured + verifying) / total
    spent = f"{measured:.0f} s in measured calls and {verifying:.0f} s verifying"
    print(f"\n{total:.0f} s in all, of which {spent}: {share:.0%}")
    print(f"The report: {Path('.asv/report/index.html').resolve()}")
    return proof


def _step(title: str, command: str) -> int:
    """Exit code of a command. Ctrl-C and SIGTERM are passed on to it, and it ends as it does without this."""
    print(f"\n-- {title} (evenbench {command})", flush=True)
    process = subprocess.Popen([sys.executable, "-m", "suites.cli", command], env=os.environ)
    before = {one: signal.signal(one, lambda number, _: process.send_signal(number)) for one in SIGNALS}
    try:
        code = process.wait()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    return code if code >= 0 else 128 - code


def _manifests() -> set[Path]:
    return set(Path(".asv/runs").glob("*/manifest.json"))


def _newest_manifest() -> dict[str, Any]:
    newest = max(_manifests(), key=lambda path: path.stat().st_mtime)
    return json.loads(newest.read_text())


if __name__ == "__main__":
    sys.exit(main())
