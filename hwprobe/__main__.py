"""`python -m hwprobe`: the command that also serves as `evenbench probe`."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from hwprobe import label as labels
from hwprobe.console import errors_in_one_line, readers_may_leave


class Tier(StrEnum):
    """The tiers of requirements.toml."""

    MINIMUM = "minimum"
    IDEAL = "ideal"


class Precision(StrEnum):
    """Those that needs are measured in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def check_usage(
    tier: Tier | None = None,
    ignore: str = "",
    as_json: bool = False,
    as_markdown: bool = False,
    label: str | None = None,
    workload: str = "",
    batch: int = 1,
    train: bool = False,
    precision: Precision = Precision.FLOAT32,
    **_others: Any,
) -> None:
    """Raise typer.BadParameter where options of `probe` are wrong together or alone: before anything is done."""
    from hwprobe import needs
    from hwprobe.readiness import CHECKS

    if strangers := [name for name in _checks(ignore) if name not in CHECKS]:
        raise typer.BadParameter(f"no such check: {', '.join(strangers)} (there are {', '.join(CHECKS)})")
    if workload and tier:
        raise typer.BadParameter("--for judges no tier: leave --tier out")
    if workload and workload not in needs.models():
        raise typer.BadParameter(f"no such model: {workload} (there are {', '.join(needs.models())})")
    if not workload and (train or batch > 1 or precision is not Precision.FLOAT32):
        raise typer.BadParameter("--batch, --train and --precision go with --for")
    if as_json and as_markdown:
        raise typer.BadParameter("--json or --markdown, not both")
    if label is not None:
        try:
            labels.checked(label)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


@errors_in_one_line()
def probe(
    tier: Annotated[
        Tier | None, typer.Option(help="Judge this tier alone. Default: both; the minimum decides.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 if a check cannot be judged.")] = False,
    ignore: Annotated[str, typer.Option(metavar="CHECKS", help="Leave out: cores, vram, ram, disk.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print facts, conditions and verdicts as JSON.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print facts and verdicts as Markdown, for an issue or a request.")
    ] = False,
    label: Annotated[str | None, typer.Option(envvar=labels.VARIABLE, help="Your own name for this machine.")] = None,
    with_frameworks: Annotated[
        bool, typer.Option("--frameworks", help="Also the devices that each framework sees: takes some seconds.")
    ] = False,
    with_ceilings: Annotated[
        bool, typer.Option("--ceilings", help="Also the rates it reaches: measured in a minute, kept for a week.")
    ] = False,
    wait_idle: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=2, max=3600, help="First wait until other programs rest, at most so long."),
    ] = None,
    workload: Annotated[
        str, typer.Option("--for", metavar="MODEL", help="Judge what is free now for this model, and no tier.")
    ] = "",
    batch: Annotated[int, typer.Option(help="With --for: images of a call.", min=1)] = 1,
    train: Annotated[bool, typer.Option("--train", help="With --for: training, not inference.")] = False,
    precision: Annotated[Precision, typer.Option(help="With --for: what it computes in.")] = Precision.FLOAT32,
) -> None:
    """Say what this machine has and whether it is ready for deep learning.

    The disk is the one that carries the current folder. With --for it is the one of temporary files, and what is free
    now is held against what the model was measured to need; where only some frameworks fit, that is a warning.

    With --wait-idle a machine that stays busy is one line on stderr, and the exit code is the same as without.

    Exit codes: 0 ready; 1 internal error; 2 wrong usage; 3 below the tier or no room; 4 unknown, with --strict.

    Example: evenbench probe --tier ideal --ignore vram,disk
    """
    import tempfile

    import hwprobe
    from hwprobe import conditions, conditions_gpu, disk, needs
    from hwprobe.advice import advise
    from hwprobe.fingerprint import fingerprint
    from hwprobe.readiness import exit_code, judge

    check_usage(tier, ignore, as_json, as_markdown, label, workload, batch, train, precision)
    ignored, named = _checks(ignore), None if label is None else labels.checked(label)
    if wait_idle is not None:
        _wait_until_idle(wait_idle)
    now = conditions.collect() | conditions_gpu.collect(own=())
    facts = hwprobe.collect(with_frameworks=with_frameworks)
    report: dict[str, Any] = {
        "schema_version": hwprobe.SCHEMA_VERSION,
        "label": named,
        "facts": facts,
        "fingerprint": fingerprint(facts, now),
        "conditions": now,
        "advice": advise(facts, now),
        "readiness": judge(facts, tiers=[choice.value for choice in ([tier] if tier else Tier)], ignore=ignored),
    }
    judged = next(iter(report["readiness"]["tiers"].values()))
    if workload:
        facts["disk"][needs.TEMPORARY_FILES] = disk.collect(tempfile.gettempdir())
        phase = "training" if train else "inference"
        judged = report["workload"] = needs.judge(facts, workload, phase, precision.value, batch, ignored)
    with readers_may_leave():
        if as_json or as_markdown:
            _print_at_once(report, as_json, with_ceilings)
        else:
            _print_tables(report, with_ceilings)
    raise typer.Exit(exit_code(judged, strict))


def _print_at_once(report: dict[str, Any], as_json: bool, with_ceilings: bool) -> None:
    if with_ceilings:
        report["ceilings"] = _ceilings(report["facts"])
    if as_json:
        import json

        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        from hwprobe.markdown import render

        print(render(report))


def _print_tables(report: Mapping[str, Any], with_ceilings: bool) -> None:
    """What takes no time first, and the ceilings when they are measured."""
    from hwprobe.table import show, show_advice, show_ceilings, show_workload

    fit = report.get("workload")
    show(report["facts"], report["fingerprint"]["id"], None if fit else report["readiness"], label=report["label"])
    if fit:
        show_workload(fit)
    show_advice(report["advice"])
    if with_ceilings:
        show_ceilings(_ceilings(report["facts"]))


def _checks(ignore: str) -> list[str]:
    return [name.strip() for name in ignore.split(",") if name.strip()]


def _wait_until_idle(limit_s: float) -> None:
    from hwprobe import idle

    if why := idle.wait(limit_s):
        line = f"hwprobe: not idle after {limit_s:g} s: {why}; results that are measured now will be tainted"
        print(line, file=sys.stderr, flush=True)


def _ceilings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The kept ones if they still hold, else measured now and kept."""
    import hwprobe
    from hwprobe import ceilings

    threads = hwprobe.usable_cpus()
    if (report := ceilings.kept(facts, threads)) is not None:
        return report
    print("hwprobe: measuring the ceilings; leave the machine alone for a minute", file=sys.stderr, flush=True)
    report = ceilings.measure(threads, dtypes=ceilings.DTYPES, folder=".")
    try:
        ceilings.save(ceilings.path_of(report["fingerprint"], threads), report)
    except OSError as error:
        print(f"hwprobe: the ceilings cannot be kept: {error.strerror}", file=sys.stderr)
    return report


def main() -> None:
    """Run the command; wrong usage is one line on stderr and exit code 2."""
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]  # UsageError, exported under no name that lasts
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(probe)
    try:
        sys.exit(app(prog_name="python -m hwprobe", standalone_mode=False))
    except usage_error as error:
        print(f"hwprobe: {' '.join(error.format_message().split())}", file=sys.stderr)  # type: ignore[attr-defined]
        sys.exit(2)


if __name__ == "__main__":
    main()
