"""`python -m hwprobe`: the command that also serves as `evenbench probe`."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer


class Tier(StrEnum):
    """The tiers of requirements.toml."""

    MINIMUM = "minimum"
    IDEAL = "ideal"


def probe(
    tier: Annotated[
        Tier | None, typer.Option(help="Judge this tier alone. Default: both; the minimum decides.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 if a check cannot be judged.")] = False,
    ignore: Annotated[str, typer.Option(metavar="CHECKS", help="Leave out: cores, vram, ram, disk.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print facts, conditions and verdicts as JSON.")] = False,
    with_ceilings: Annotated[
        bool, typer.Option("--ceilings", help="Also the rates it reaches: measured in a minute, kept for a week.")
    ] = False,
) -> None:
    """Say what this machine has and whether it is ready for deep learning.

    The disk is the one that carries the current folder.

    Exit codes: 0 ready; 1 internal error; 2 wrong usage; 3 below the tier; 4 unknown, with --strict.

    Example: evenbench probe --tier ideal --ignore vram,disk
    """
    import hwprobe
    from hwprobe import conditions
    from hwprobe.fingerprint import fingerprint
    from hwprobe.readiness import CHECKS, exit_code, judge

    ignored = [name.strip() for name in ignore.split(",") if name.strip()]
    if strangers := [name for name in ignored if name not in CHECKS]:
        raise typer.BadParameter(f"no such check: {', '.join(strangers)} (there are {', '.join(CHECKS)})")
    facts = hwprobe.collect()
    readiness = judge(facts, tiers=[choice.value for choice in ([tier] if tier else Tier)], ignore=ignored)
    identity = fingerprint(facts)
    if as_json:
        import json

        report = {"facts": facts, "fingerprint": identity, "conditions": conditions.collect(), "readiness": readiness}
        if with_ceilings:
            report["ceilings"] = _ceilings(facts)
        print(json.dumps({"schema_version": hwprobe.SCHEMA_VERSION, **report}, indent=2, allow_nan=False))
    else:
        from hwprobe.table import show, show_ceilings

        show(facts, identity["id"], readiness)
        if with_ceilings:
            show_ceilings(_ceilings(facts))
    raise typer.Exit(exit_code(next(iter(readiness["tiers"].values())), strict))


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
