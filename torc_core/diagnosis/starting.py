"""Why nothing starts: findings in sentences, each with the command that comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torc_core.diagnosis.facts import Facts, JobFacts
from torc_core.diagnosis.packing import Misfit, misfits
from torc_core.diagnosis.roots import Links, blocking, heaviest
from torc_core.status import JobStatus
from torc_core.units import counted

SHOWN = 10
"""Ids of jobs that a finding lists."""
_OPEN = (JobStatus.BLOCKED, JobStatus.READY, JobStatus.PENDING, JobStatus.RUNNING)
_BAD = (JobStatus.FAILED, JobStatus.TERMINATED)
_SOME_PATHS = 3
_DECIDE = "torc jobs resolve --all --workflow-id {id} --retry (or --fail)"


class Finding(NamedTuple):
    """One reason; ``next`` is the command to run, empty when there is nothing to do but wait."""

    code: str
    message: str
    number: int  # of jobs (or what else the sentence counts)
    next: str = ""
    job_ids: tuple[int, ...] = ()


def diagnose(facts: Facts) -> list[Finding]:
    """Return all reasons why jobs do not start, those that explain most first; never empty."""
    id = facts.workflow_id
    if facts.is_archived:
        return [Finding("archived", "The workflow is archived.", 1, f"torc workflows archive false {id}")]
    found: list[Finding] = []
    if facts.is_canceled:
        again = f"torc workflows reinit {id} && torc run {id}"
        found.append(Finding("canceled", "The workflow is canceled: no more jobs are given out.", 1, again))
    if not facts.jobs:
        add = f"torc jobs create {id} --name NAME --command COMMAND"
        return [*found, Finding("no-jobs", "The workflow has no jobs.", 0, add)]
    found += _gone_runners(facts)
    found += _not_begun(facts)
    found += _waiting_for_people(facts)
    if not facts.is_canceled:
        found += _ready(facts)
    found += _retries(facts)
    found += _blocked(facts)
    found += _ended_badly(facts)
    return found or [_nothing(facts)]


def _some(jobs: Iterable[JobFacts]) -> tuple[int, ...]:
    return tuple(sorted(job.id for job in jobs)[:SHOWN])


def _gone_runners(facts: Facts) -> list[Finding]:
    dead = {runner.id for runner in facts.runners if runner.is_dead}
    held = [job for job in facts.jobs if job.holder in dead]
    if not dead:
        return []
    verb = "holds" if len(dead) == 1 else "hold"
    message = f"{counted(len(dead), 'runner')} that ended without a word still {verb} {counted(len(held), 'job')}."
    return [Finding("runner-gone", message, len(held), f"torc run {facts.workflow_id}", _some(held))]


def _not_begun(facts: Facts) -> list[Finding]:
    new = facts.with_status(JobStatus.UNINITIALIZED)
    id, found = facts.workflow_id, []
    if new:
        is_all = len(new) + len(facts.with_status(JobStatus.DISABLED)) == len(facts.jobs)
        what = "No run was begun: all" if is_all else "The next run was not begun:"
        verb = "is" if len(new) == 1 else "are"
        begin = f"torc run {id}" if is_all else f"torc workflows reinit {id} && torc run {id}"
        found.append(
            Finding(
                "uninitialized", f"{what} {counted(len(new), 'job')} {verb} uninitialized.", len(new), begin, _some(new)
            )
        )
    if facts.missing_files and new:
        found.append(_missing("files", "input file", facts.missing_files, f"torc workflows init {id} --dry-run"))
    if facts.missing_data:
        data = _missing("data", "user data record", facts.missing_data, f"torc user-data list {id}")
        found.append(data._replace(message=data.message.replace("not there", "without a value, and no job makes one")))
    return found


def _missing(code: str, word: str, names: Sequence[str], command: str) -> Finding:
    more = len(names) - _SOME_PATHS
    listed = ", ".join(names[:_SOME_PATHS]) + (f" and {more} more" if more > 0 else "")
    verb = "is" if len(names) == 1 else "are"
    return Finding(f"missing-{code}", f"{counted(len(names), word)} {verb} not there: {listed}.", len(names), command)


def _waiting_for_people(facts: Facts) -> list[Finding]:
    jobs = facts.with_status(JobStatus.PENDING_FAILED)
    if not jobs:
        return []
    verb = "waits" if len(jobs) == 1 else "wait"
    message = f"{counted(len(jobs), 'job')} that failed {verb} for a decision: try again, or fail."
    return [Finding("undecided", message, len(jobs), _DECIDE.format(id=facts.workflow_id), _some(jobs))]


def _ready(facts: Facts) -> list[Finding]:
    ready, id = facts.with_status(JobStatus.READY), facts.workflow_id
    if not ready:
        return []
    runners, count = facts.alive, len(ready)
    verb = "waits" if count == 1 else "wait"
    if not runners:
        if facts.pending_allocations:
            queued = counted(facts.pending_allocations, "allocation")
            message = f"{counted(count, 'ready job')} {verb} for {queued} in the queue."
            return [Finding("in-queue", message, count, f"torc status {id}", _some(ready))]
        return _no_runner(facts, ready)
    reasons, fitting = misfits(ready, runners)
    found = [_too_much(reason, id) for reason in reasons]
    if fitting:
        running = len(facts.with_status(JobStatus.RUNNING, JobStatus.PENDING))
        verb = "fits" if len(fitting) == 1 else "fit"
        busy = f"which {'is' if len(runners) == 1 else 'are'} busy with {counted(running, 'job')}"
        rest = busy if running else "which will take them at the next turn"
        message = f"{counted(len(fitting), 'ready job')} {verb} the {counted(len(runners), 'active runner')}, {rest}."
        found.append(Finding("busy", message, len(fitting), "", _some(fitting)))
    return found


def _no_runner(facts: Facts, ready: list[JobFacts]) -> list[Finding]:
    """Say that nobody is there, and which jobs fitted none of those who were: another like them would not help."""
    reasons, _ = misfits(ready, facts.past, are_past=True) if facts.past else ([], ready)
    reasons = [reason for reason in reasons if reason.code != "labels"]  # which a new runner may offer
    found = [_too_much(reason, facts.workflow_id) for reason in reasons]
    too_much = {job.id for reason in reasons for job in reason.jobs}
    left = [job for job in ready if job.id not in too_much]
    if left:
        verb = "waits" if len(left) == 1 else "wait"
        message = f"{counted(len(left), 'ready job')} {verb}, and no runner is active."
        wanted = min(sorted(job.needs.labels) for job in left)  # those without labels come first
        offer = f" --label {','.join(wanted)}" if wanted else ""
        found.append(Finding("no-runner", message, len(left), f"torc run {facts.workflow_id}{offer}", _some(left)))
    return found


def _too_much(reason: Misfit, id: int) -> Finding:
    """Say what ready jobs ask for that no runner has."""
    sentence = reason.sentence
    if len(reason.jobs) == 1:
        for plural, singular in (("want ", "wants "), ("have ", "has "), ("need ", "needs ")):
            sentence = singular + sentence.removeprefix(plural) if sentence.startswith(plural) else sentence
    message = f"{counted(len(reason.jobs), 'ready job')} {sentence}."
    code = f"too-much-{reason.code}"
    return Finding(code, message, len(reason.jobs), _remedy(reason.code, id), _some(reason.jobs))


def _remedy(code: str, id: int) -> str:
    """Return the command for something that no runner has."""
    if code == "labels":
        return f"torc run {id} --label LABEL"
    if code == "runtime":
        return f"torc run {id}"
    return f"torc jobs list-resource-requirements {id}"


def _retries(facts: Facts) -> list[Finding]:
    jobs = [job for job in facts.with_status(JobStatus.BLOCKED) if job.retry_at is not None]
    if not jobs:
        return []
    first = min(str(job.retry_at) for job in jobs)
    if len(jobs) == 1:
        message = f"1 job waits for its next attempt, until {first}."
    else:
        message = f"{counted(len(jobs), 'job')} wait for their next attempts, the first until {first}."
    then = "" if facts.alive else f"torc run {facts.workflow_id}"
    return [Finding("retry-later", message, len(jobs), then, _some(jobs))]


_ROOTS = (
    (JobStatus.PENDING_FAILED, "that failed and waits for a decision", _DECIDE),
    (JobStatus.DISABLED, "that is disabled, and so never ends", "torc jobs reset-status {job} --reinit"),
    (JobStatus.UNINITIALIZED, "that was not initialized", "torc workflows reinit {id} && torc run {id}"),
    (JobStatus.READY, "that is ready and waits for a runner", ""),
    (JobStatus.PENDING, "that a runner is about to start", ""),
    (JobStatus.RUNNING, "that is running", ""),
)


def _blocked(facts: Facts) -> list[Finding]:
    """Return what blocked jobs wait for in the end."""
    if not facts.with_status(JobStatus.BLOCKED):
        return []
    links = Links(facts.jobs)
    waiting = blocking(links, [status for status, _, _ in _ROOTS], JobStatus.BLOCKED)
    found = []
    for status, words, command in _ROOTS:
        ids = waiting.get(status)
        best = heaviest(links, (job.id for job in facts.with_status(status)), JobStatus.BLOCKED) if ids else None
        if not ids or best is None:
            continue
        root, most = best
        verb = "waits" if len(ids) == 1 else "wait"
        others = "" if most == len(ids) else f" ({most} of them for job {root.name!r})"
        what = f"job {root.name!r} {words}" if most == len(ids) else f"jobs like {root.name!r}, {words}{others}"
        then = command.format(id=facts.workflow_id, job=root.id)
        code = f"behind-{status.value.replace('_', '-')}"
        found.append(
            Finding(code, f"{counted(len(ids), 'blocked job')} {verb} for {what}.", len(ids), then, (root.id,))
        )
    return found


def _ended_badly(facts: Facts) -> list[Finding]:
    """Return what the failures led to."""
    bad = facts.with_status(*_BAD)
    if not bad:
        return []
    canceled = Links(facts.jobs).behind((job.id for job in bad), JobStatus.CANCELED)
    message = (
        f"{counted(len(bad), 'job')} failed or {'was' if len(bad) == 1 else 'were'} terminated, like {bad[0].name!r}"
    )
    if canceled:
        verb, them = "waits" if len(canceled) == 1 else "wait", "it" if len(bad) == 1 else "them"
        message += f"; {counted(len(canceled), 'job')} that {verb} for {them} "
        message += f"{'was' if len(canceled) == 1 else 'were'} canceled"
    return [Finding("failed", f"{message}.", len(bad), f"torc recover {facts.workflow_id} --dry-run", _some(bad))]


def _nothing(facts: Facts) -> Finding:
    running = facts.with_status(JobStatus.RUNNING, JobStatus.PENDING)
    if running:
        return Finding("running", f"Nothing waits: {counted(len(running), 'job')} run.", len(running))
    return Finding("complete", "The workflow is complete: all jobs have ended.", len(facts.jobs))
