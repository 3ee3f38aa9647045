"""Which jobs a reinitialization runs again, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.records.answers import Rerun
from torc_core.records.resources import File, Job, Result, UserData
from torc_core.service import queries
from torc_core.service.claims import changed_inputs
from torc_core.service.clock import utc_text
from torc_core.service.digests import WORDS
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import (
    BY_NUMBER,
    CANCELED,
    COMPLETED,
    FAILED,
    IS_COMPLETE,
    PENDING_FAILED,
    TERMINATED,
    UNINITIALIZED,
)

MTIME_TOLERANCE_SECONDS = 0.01
STATUS, INPUT, OUTPUT, DEFINITION, DATA, FOLLOWS = (
    "did not succeed", "input changed", "output is missing", "definition changed", "user data changed",
    "follows a job that runs again",
)  # fmt: skip
"""Reasons, in the order in which the first counts."""


class Files(NamedTuple):
    """What the service knows about a workflow's files, and what was found on the disk, by file id."""

    paths: dict[int, str]
    known: dict[int, float | None]
    found: dict[int, float | None]
    use: queries.FileUse

    @classmethod
    def of(cls, turn: Turn, state: WorkflowState, found: dict[int, float | None]) -> Files:
        """Read the files of a workflow."""
        rows = list(turn.rows(File, ("id", "path", "st_mtime"), of_workflow(state.id)))
        return cls({r[0]: r[1] for r in rows}, {r[0]: r[2] for r in rows}, found, queries.file_use(turn, state))

    def changed(self) -> list[int]:
        """Return the files that have another time than at the last run, appeared or are gone."""
        return [id for id, known in self.known.items() if differs(known, self.found.get(id))]

    def changed_for_none_that_stays(self, state: WorkflowState) -> list[int]:
        """Return the changed files whose change is taken in: no job that has ended, and stays so, has read them."""
        graph = state.graph
        staying = {
            id for job, ids in self.use.inputs.items() if IS_COMPLETE[graph.status[graph.node(job)]] for id in ids
        }
        return [id for id in self.changed() if id not in staying]

    def missing(self, state: WorkflowState) -> list[int]:
        """Return the files that are not there and that no job makes."""
        required = queries.required_files(state, self.use, with_completed=False)
        return [id for id in required if self.found.get(id) is None and id in self.paths]

    def existing_outputs(self) -> list[int]:
        """Return the files that jobs write and that are there."""
        written = {id for ids in self.use.outputs.values() for id in ids}
        return [id for id in sorted(written) if self.found.get(id) is not None and id in self.paths]


def differs(stored: float | None, found: float | None) -> bool:
    """Whether a file counts as changed since the last run: another time, appeared or gone."""
    if stored is None or found is None:
        return stored is not found
    return abs(stored - found) > MTIME_TOLERANCE_SECONDS


class Reruns:
    """The jobs (nodes) that run again, and all that follow them, with the first thing that each has to do with it."""

    def __init__(self, turn: Turn, state: WorkflowState, files: Files, *, only_reset: bool = False) -> None:
        """``only_reset`` looks for nothing else than jobs that were reset or added."""
        self._turn, self._state, self._files = turn, state, files
        self._why: dict[int, list[tuple[str, Any]]] = {}
        if only_reset:
            for node in state.graph.find(UNINITIALIZED):
                self._add(node, STATUS, UNINITIALIZED)
        else:
            self._look()
        self.nodes = sorted(self._why)
        self._causes = transitions.causes(state.graph, self.nodes)

    def _look(self) -> None:
        turn, state, files = self._turn, self._state, self._files
        graph, changed = state.graph, set(files.changed())
        for node in graph.find(FAILED, CANCELED, TERMINATED, PENDING_FAILED, UNINITIALIZED):
            self._add(node, STATUS, graph.status[node])
        for job, ids in files.use.inputs.items():
            node = graph.node(job)
            if IS_COMPLETE[graph.status[node]]:
                for id in ids:
                    if id in changed:
                        self._add(node, INPUT, id)
        for job, ids in files.use.outputs.items():
            node = graph.node(job)
            if graph.status[node] == COMPLETED:
                for id in ids:
                    if files.found.get(id) is None:
                        self._add(node, OUTPUT, id)
        for job, _, keys in changed_inputs(turn, state):
            node = graph.node(job)
            if IS_COMPLETE[graph.status[node]]:
                for key in keys:
                    self._add(node, DEFINITION, key)

    def _add(self, node: int, reason: str, what: Any) -> None:
        self._why.setdefault(node, []).append((reason, what))

    def ended(self) -> list[int]:
        """Return those of all of them that had ended, ascending."""
        status = self._state.graph.status
        return [node for node in sorted({*self.nodes, *self._causes}) if IS_COMPLETE[status[node]]]

    def explain(self) -> list[Rerun]:
        """Say why each job that had ended, or waits for a decision, runs again."""
        turn, graph = self._turn, self._state.graph
        status = graph.status
        all_of_them = sorted({*self.nodes, *self._causes})
        nodes = [n for n in all_of_them if IS_COMPLETE[status[n]] or status[n] == PENDING_FAILED]
        causes = {self._causes[node] for node in nodes if node in self._causes}
        ids = graph.job_ids(sorted({*nodes, *causes}))
        names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), with_ids(ids))) if ids else {}
        words = _Words(turn, self._state, self._files, nodes)
        reruns = []
        for node in nodes:
            reasons = [words.of(node, reason, what) for reason, what in self._why.get(node, ())]
            if node in self._causes:
                cause = names[graph.ids[self._causes[node]]]
                reasons.append((FOLLOWS, cause, f"depends on {cause}, which runs again"))
            reason, cause, _ = reasons[0]
            job_id = graph.ids[node]
            reruns.append(
                Rerun(
                    job_id=job_id, name=names[job_id], status=BY_NUMBER[status[node]], reason=reason, cause=cause,
                    reasons=[text for _, _, text in reasons],
                )
            )  # fmt: skip
        return reruns


class _Words:
    """Turns reasons into words; what is needed for that is read once."""

    def __init__(self, turn: Turn, state: WorkflowState, files: Files, nodes: Sequence[int]) -> None:
        self._graph, self._files = state.graph, files
        bad = [n for n in nodes if state.graph.status[n] != COMPLETED]
        self._ends = _ends(turn, state.graph.job_ids(bad))
        self._data: dict[int, str] = dict(turn.rows(UserData, ("id", "name"), of_workflow(state.id)))

    def of(self, node: int, reason: str, what: Any) -> tuple[str, str, str]:
        """Return the reason, the thing it is about, and a sentence."""
        if reason == STATUS:
            word = BY_NUMBER[what].value
            return reason, word, word.replace("_", " ") + self._ends.get(self._graph.ids[node], "")
        if reason == DEFINITION:
            return self._definition(what)
        path = self._files.paths.get(what, f"file {what}")
        if reason == OUTPUT:
            return reason, path, f"output {path} is missing"
        before, after = self._files.known.get(what), self._files.found.get(what)
        if before is None or after is None:
            return reason, path, f"input {path} {'appeared' if before is None else 'vanished'}"
        return reason, path, f"input {path} changed (mtime {_moment(before)} -> {_moment(after)})"

    def _definition(self, key: str) -> tuple[str, str, str]:
        if key[:1] == "t" and key[1:].isdecimal():
            name = self._data.get(int(key[1:]), key[1:])
            return DATA, name, f"user data {name} changed"
        word = WORDS.get(key, "")
        return DEFINITION, word, f"{word} changed" if word else "definition or data changed"


def _ends(turn: Turn, job_ids: Iterable[int]) -> dict[int, str]:
    """Say of the latest attempt of jobs in which run it was, and with which code it ended."""
    where = [Condition("job_id", "one_of", sorted(job_ids)), Condition("is_latest", "equal", 1)]
    rows = turn.rows(Result, ("job_id", "run_id", "return_code"), where)
    return {job: f" in run {run} (return code {code})" for job, run, code in rows}


def _moment(seconds: float) -> str:
    return utc_text(int(seconds * 1000))
