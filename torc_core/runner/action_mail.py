"""What a runner and the service tell each other about actions, with the turns that they take anyway."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torc_core.records.answers import TickAnswer
    from torc_core.records.answers.actions import ActionLaunch, ActionReport


class ActionMail:
    """Reports on their way to the service, and actions that came from it."""

    def __init__(self) -> None:
        self.can_run: list[str] = []  # kinds of actions that are carried out here
        self.unable: tuple[str, ...] = ()  # kinds that are due, and of which nobody knows whether they can be done here
        self.given: deque[ActionLaunch] = deque()
        self.reports: dict[int, ActionReport] = {}  # the latest of each execution
        self.is_closed = False  # no more are wanted, but for those that are due when this runner leaves
        self.is_leaving = False
        self.is_held = False  # jobs have to wait for commands that run here or elsewhere
        self.is_urgent = False  # a turn is wanted at once
        self.has_more_for_the_end = False  # actions are due when this runner leaves

    def add(self, report: ActionReport) -> None:
        """Have something reported."""
        self.reports[report.action_run_id or 0] = report
        self.is_urgent = True

    def leave(self) -> None:
        """Say that the runner is about to leave."""
        self.is_leaving = self.is_urgent = True

    @property
    def _asks(self) -> bool:
        return bool(self.can_run) and (self.is_leaving or not self.is_closed)

    def fill(self, values: dict[str, Any]) -> dict[int, ActionReport]:
        """Put all of it into what a turn says; returns the reports in it."""
        sent = dict(self.reports)
        if self._asks:
            values["can_run"] = self.can_run
        if sent:
            values["actions"] = list(sent.values())
        if self.is_leaving:
            values["is_leaving"] = True
        return sent

    def take(self, answer: TickAnswer, sent: dict[int, ActionReport]) -> None:
        """Take what an answer brings; the reports that it answers are told."""
        self.reports = {id: report for id, report in self.reports.items() if sent.get(id) is not report}
        self.is_urgent = bool(self.reports)
        self.given.extend(answer.actions or ())
        self.is_held = answer.is_held
        if self._asks:
            self.unable = tuple(answer.undone_kinds or ())
            self.has_more_for_the_end = answer.has_last_actions
