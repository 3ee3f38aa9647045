"""What happens to workflows, as it happens."""

from torc_core.operations import operation
from torc_core.records.answers.events import EventStream


class EventOperations:
    """What happens to workflows, as it happens."""

    @operation("GET", "/workflows/{id}/events/stream", "events")
    def watch_events(self, id: int, level: str = "info") -> EventStream:
        """Hear of everything that happens to a workflow from now on, from ``level`` (debug, info, warning, error) up.

        Nothing is repeated or kept. Who falls behind by more than 512 events hears ``warning`` with ``dropped``.
        """
