"""The results of a run: measured when the first one of a group is asked for, read from its folder from then on."""

from typing import Any

from suites import plan
from suites.measure import measure
from suites.plan import Case, Group
from suites.profiles import Profile
from suites.store import Run, same


class MeasurementError(Exception):
    """What was asked for could not be measured; the message is one line."""


class Session:
    """One run in the process that asv runs in."""

    def __init__(self, run: Run, profile: Profile, groups: dict[str, Group], python: str, threads: int) -> None:
        self.run = run
        self.profile = profile
        self.groups = groups
        self.python = python
        self.threads = threads
        self._complete: dict[str, dict[str, Any]] = {}  # group -> its measurements

    def record(self, case: Case) -> dict[str, Any]:
        """The result of one case.

        Raises NotImplementedError where there can be none, MeasurementError where there should be one; both say why.
        """
        reason = self.run.manifest["frameworks"][case.program.framework]["reason"]
        reason = reason or plan.offered(case, self.profile)
        if reason:
            raise NotImplementedError(reason)
        name = plan.group_of(case.program.workload)
        if name not in self._complete:
            measure(self.run, self.groups[name], self.profile, self.python, self.threads)
            self._complete[name] = self.run.group(name)
        row = plan.row(case)
        group = self._complete[name]
        for failure in (failure for stage in group["stages"] for failure in stage["failures"]):
            if same(failure, row, row):
                if failure["kind"] == "n/a":
                    raise NotImplementedError(failure["message"])
                raise MeasurementError(f"{failure['kind']}: {failure['message']}")
        for record in group["records"]:
            if same(record, row, row):
                return record
        raise NotImplementedError(f"no {case.phase} in this run")


_current: Session | None = None


def use(session: Session | None) -> None:
    """Make this the session that benchmarks ask."""
    global _current
    _current = session


def current() -> Session:
    """The session that asv's plugin has begun. Raises MeasurementError outside of a run."""
    if _current is None:
        raise MeasurementError("no run: asv.conf.json must name the plugin .suites.plugins.run_store")
    return _current
