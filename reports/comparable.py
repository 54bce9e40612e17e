"""Why two figures may not be held against each other: other conditions, other work, or nothing to judge by."""

from collections.abc import Callable

from reports.certificates import certificates
from reports.compare import withheld
from reports.conditions import taint_of
from reports.formats import UNKNOWN, join
from reports.metrics import BY_KEY
from reports.sides import Side
from reports.tables import Row
from reports.work import facts_of

SAME = "the same measurement"
Reason = Callable[[Row, Row], str]


def is_one_run(first: Side, second: Side) -> bool:
    """Whether both sides are programs of the same run."""
    return first.kind == second.kind == "framework"


def machines_differ(first: Side, second: Side) -> bool:
    """Whether their fingerprints say so; without one nothing is known."""
    return first.run.manifest["fingerprint"] != second.run.manifest["fingerprint"]


def reasons(first: Side, second: Side) -> Reason:
    """A function that tells why a row of the one and a row of the other were not measured alike; '' where they were."""
    sides = (first, second)
    of_runs = "" if is_one_run(first, second) else _between_runs(first, second)
    facts = [facts_of(side.run.manifest) for side in sides]

    def reason(one: Row, other: Row) -> str:
        rows = (one, other)
        devices = [known.device(row["framework"]).partition(":")[0] for known, row in zip(facts, rows, strict=True)]
        versions = [side.source.versions.get(_benchmark(row), UNKNOWN) for side, row in zip(sides, rows, strict=True)]
        found = [
            _each("failed", ["" if row["status"] == "ok" else row["reason"] for row in rows]),
            of_runs,
            "" if _are_named_machines(first, second) else _other("device", devices),
            _other("version of the benchmark", versions),
            SAME if _are_same_calls(one, other) else "",
            _each("tainted", [taint_of(row["conditions"]) for row in rows]),
        ]
        return next((text for text in found if text), "")

    return reason


def unproven(first: Side, second: Side) -> Reason:
    """A function that tells which certificate of two rows' programs is missing or failed; '' where none is."""
    proofs = [certificates(side.run.manifest) for side in (first, second)]

    def reason(one: Row, other: Row) -> str:
        programs = [(row["workload"], [(row["framework"], row["mode"])]) for row in (one, other)]
        return _each("no proof", [withheld(*program, mine) for program, mine in zip(programs, proofs, strict=True)])

    return reason


def _between_runs(first: Side, second: Side) -> str:
    """What differs between two runs that nobody asked about. Between named machines the machine is the question."""
    runs = (first.run, second.run)
    if missing := [name for name, run in zip("AB", runs, strict=True) if not run.has_manifest]:
        return f"no manifest of {join(missing)}"
    found = [_other("profile", [run.profile for run in runs]), _of_manifests("precision", "precision", first, second)]
    if not _are_named_machines(first, second):
        found.insert(0, _of_manifests("fingerprint", "fingerprint", first, second))
        found.append(_of_manifests("number of threads", "threads", first, second))
    return "; ".join(text for text in found if text)


def _are_named_machines(first: Side, second: Side) -> bool:
    return first.kind == second.kind == "machine"


def _of_manifests(title: str, key: str, first: Side, second: Side) -> str:
    return _other(title, [str(side.run.manifest[key] or UNKNOWN) for side in (first, second)])


def _other(title: str, values: list[str]) -> str:
    """As in "other profile (A quick, B standard)"; '' where they agree."""
    first, second = values
    return f"other {title} (A {first}, B {second})" if first != second else ""


def _each(what: str, problems: list[str]) -> str:
    """What is wrong with A, with B, or once with both; '' where nothing is."""
    first, second = problems
    said = [first] if first == second else [f"{name}: {one}" for name, one in zip("AB", problems, strict=True) if one]
    return f"{what} ({'; '.join(said)})" if any(said) else ""


def _are_same_calls(one: Row, other: Row) -> bool:
    """Whether times agree to the last digit: asv's file keeps what a later run of the commit did not measure again."""
    return bool(one["unit"] == "s" and one["samples"] and one["samples"] == other["samples"])


def _benchmark(row: Row) -> str:
    """asv's name of what a row is the result of."""
    return f"{row['suite']}.{BY_KEY[row['metric']].suffix}"
