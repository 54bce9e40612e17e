"""A name on the command line -> the runs that it stands for, and of two names the two runs that are most alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reports import baselines
from reports.formats import join
from reports.load import NoResultsError, Results, Run, load
from reports.manifest import BadFileError, read_json
from reports.runs import UnknownNameError, of_commit

Kind = Literal["framework", "machine", "baseline", "folder", "commit", "environment"]
NO_FRAMEWORK = "a commit, an environment, a machine, a folder or a baseline"


@dataclass(frozen=True)
class Source:
    """A results folder as it was read. `versions`: asv's benchmark -> the version of what it measures."""

    folder: Path
    results: Results
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Side:
    """One of the two: its run and, if frameworks are compared, which program. `mode` '': the fastest."""

    title: str
    kind: Kind
    source: Source
    run: Run
    framework: str = ""
    mode: str = ""


@dataclass(frozen=True)
class _Meaning:
    kind: Kind
    source: Source
    runs: list[Run]  # newest first


def read(folder: Path) -> Source:
    """Raises NoResultsError."""
    results = load(folder)
    try:
        raw = read_json(folder / "results" / "benchmarks.json")
    except BadFileError:
        raw = {}  # load has named it among what it skipped
    entries = raw.items() if isinstance(raw, dict) else ()
    versions = {name: str(entry.get("version")) for name, entry in entries if isinstance(entry, dict)}
    return Source(folder, results, versions)


def sides(folder: Path, first: str, second: str) -> tuple[Side, Side]:
    """Resolve both names, of which all but other folders are looked for in this one.

    Raises UnknownNameError, one line for the user, and NoResultsError for a folder without results.
    """
    try:
        home, problem = read(folder), ""
    except NoResultsError as error:
        home, problem = None, str(error)
    names = (first, second)
    meanings = [_meaning(name, folder, home, problem) for name in names]
    if all(meaning.kind == "framework" for meaning in meanings):
        return _program(first, meanings[0].source), _program(second, meanings[1].source)
    if any(meaning.kind == "framework" for meaning in meanings):
        kinds = [f"{name} is a {meaning.kind}" for name, meaning in zip(names, meanings, strict=True)]
        raise UnknownNameError(f"compare a framework with a framework, or {NO_FRAMEWORK} with another: {join(kinds)}")
    runs = _most_alike(names, meanings)
    one, other = (
        Side(name, meaning.kind, meaning.source, run) for name, meaning, run in zip(names, meanings, runs, strict=True)
    )
    return one, other


def sources(*sides: Side) -> list[Source]:
    """What was read for these sides, each folder once."""
    return list({side.source.folder: side.source for side in sides}.values())


def _meaning(name: str, folder: Path, home: Source | None, problem: str) -> _Meaning:
    """The only thing that a name stands for; problem: why there is no home."""
    found = [*_elsewhere(name, folder), *(_at_home(name, home) if home else [])]
    if not found and "/" in name:
        read(Path(name))  # tells what is wrong with the folder
    if not found and home:
        found = _environment(name, home)
    if len(found) > 1:
        kinds = join([f"a {meaning.kind}" for meaning in found])
        raise UnknownNameError(
            f"{name!r} is {kinds}: write the path of a folder (./{name}) or a baseline ({baselines.path(folder, name)})"
        )
    if not found:
        raise UnknownNameError(f"unknown {name!r}{f': {problem}' if problem else f'; {_known(folder, home)}'}")
    return found[0]


def _elsewhere(name: str, folder: Path) -> list[_Meaning]:
    """What lies in a folder of its own."""
    places: list[tuple[Kind, Path]] = [("folder", Path(name))]
    if baselines.is_name(name):
        places.append(("baseline", baselines.path(folder, name)))
    found = [(kind, read(place)) for kind, place in places if name and _is_results_folder(place)]
    return [_Meaning(kind, source, source.results.runs) for kind, source in found]


def _is_results_folder(path: Path) -> bool:
    try:
        return (path / "results").is_dir()
    except OSError:  # too long for a path: it may be an environment's name
        return False


def _at_home(name: str, home: Source) -> list[_Meaning]:
    runs = home.results.runs
    found: dict[Kind, list[Run]] = {
        "framework": runs if name.partition(":")[0] in _frameworks(home) else [],
        "machine": [run for run in runs if name in (run.machine, run.manifest["label"])],
        "commit": of_commit(runs, name),
    }
    return [_Meaning(kind, home, mine) for kind, mine in found.items() if mine and name]


def _environment(name: str, home: Source) -> list[_Meaning]:
    """The environment of this name, or the only one whose name has it as a part."""
    known = {run.env_name for run in home.results.runs}
    found = [name] if name in known else sorted(one for one in known if name and name in one)
    if len(found) > 1:
        raise UnknownNameError(f"{name!r} is a part of several environments: {', '.join(found)}")
    return [_Meaning("environment", home, [run for run in home.results.runs if run.env_name == one]) for one in found]


def _known(folder: Path, home: Source | None) -> str:
    """What could have been asked for."""
    runs = home.results.runs if home else []
    there = {
        "frameworks": _frameworks(home) if home else [],
        "commits": sorted({run.commit[:8] for run in runs}),
        "environments": sorted({run.env_name for run in runs}),
        "machines": sorted({run.manifest["label"] or run.machine for run in runs}),
        "baselines": baselines.names(folder),
    }
    return "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in there.items())


def _frameworks(home: Source) -> list[str]:
    return sorted({str(name) for name in home.results.frame["framework"]})


def _program(name: str, source: Source) -> Side:
    """A framework in the newest run."""
    run = source.results.runs[0]
    frame = source.results.of(run)
    framework, colon, mode = name.partition(":")
    mine = frame[(frame["framework"] == framework) & (frame["status"] == "ok")]
    modes = sorted({str(one) for one in mine["mode"]})
    if not modes:
        raise UnknownNameError(f"the newest run has no figures of {framework}")
    if colon and mode not in modes:
        raise UnknownNameError(f"no figures of {framework} in mode {mode!r}; there are: {', '.join(modes)}")
    return Side(name, "framework", source, run, framework, mode)


def _most_alike(names: tuple[str, str], meanings: list[_Meaning]) -> tuple[Run, Run]:
    """The runs that differ least in what is not asked about, and of those the newest.

    A folder and a baseline are asked about as a whole: of these the newest run counts, whatever was measured there.
    """
    first, second = meanings
    pairs = [(one, other) for one in first.runs for other in second.runs if not _same(one, other)]
    if not pairs:
        raise UnknownNameError(f"{join(list(names))} are the same run, {first.runs[0].run_id}")
    whole = [meaning.kind in ("folder", "baseline") for meaning in meanings]

    def alike(pair: tuple[Run, Run]) -> tuple[bool, ...]:
        one, other = pair
        return (
            one.machine == other.machine,
            one.profile == other.profile,
            # Who names a commit, an environment or a machine does not mean uncommitted changes.
            not any(run.dirty for run, as_a_whole in zip(pair, whole, strict=True) if not as_a_whole),
            any(whole) or one.env_name == other.env_name,
            any(whole) or one.commit == other.commit,
        )

    return max(pairs, key=alike)


def _same(one: Run, other: Run) -> bool:
    return (one.run_id, one.key) == (other.run_id, other.key)
