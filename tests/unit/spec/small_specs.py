"""Short ways to plan small specs in tests."""

from __future__ import annotations

from typing import Any

from torc_core.problems import ERROR, Path, Problem
from torc_core.spec.plan import Plan
from torc_core.spec.read import check_data

J = {"name": "j"}
RR = {"name": "r", "num_cpus": 1, "memory": "1g"}


def nowhere(path: Path) -> tuple[int, int]:
    return (0, 0)


def reader(files: dict[str, str]):
    """Return a ``read_file`` that knows these files only."""

    def read_file(name: str) -> str:
        if name not in files:
            raise FileNotFoundError(2, "No such file or directory", name)
        return files[name]

    return read_file


def spec(jobs: list[dict[str, Any]] | None = None, **sections: Any) -> dict[str, Any]:
    """Return the data of a spec; jobs without a command get one."""
    return {"name": "w", "jobs": [{"command": "true"} | job for job in jobs or []], **sections}


def job(**fields: Any) -> dict[str, Any]:
    """Return the data of a spec with one job ``j``."""
    return spec([J | fields])


def plan(data: Any, files: dict[str, str] | None = None, **options: Any) -> Plan:
    """Return the plan of a spec without errors."""
    return sound(check_data(data, nowhere, "s.json", read_file=reader(files or {}), **options))


def sound(planned: Plan) -> Plan:
    """Return a plan that has no errors."""
    assert [problem for problem in planned.problems if problem.severity == ERROR] == []
    return planned


def problems(data: Any, files: dict[str, str] | None = None, **options: Any) -> list[Problem]:
    """Return everything that is found in a spec."""
    return check_data(data, nowhere, "s.json", read_file=reader(files or {}), **options).problems


def problem(data: Any, code: str, files: dict[str, str] | None = None, **options: Any) -> Problem:
    """Return the one problem with that code."""
    [found] = [p for p in problems(data, files, **options) if p.code == code]
    return found


def names(planned: Plan) -> list[str]:
    return [job.name for job in planned.jobs]


def waits(planned: Plan) -> dict[str, list[str]]:
    """Return the names that each job waits for explicitly."""
    return {job.name: [planned.jobs[i].name for i in job.depends_on] for job in planned.jobs}
