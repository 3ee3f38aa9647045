"""What listeners hear while it happens."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from torc_core.records.values import Json, Value, field


class StreamEvent(Value):
    """Something that happened to a workflow a moment ago."""

    workflow_id: int = field()
    timestamp: int = field("ms since 1970, the service's clock")
    event_type: str = field("job_completed, for instance")
    severity: str = field("debug, info, warning or error")
    data: Json = field("what it was about; differs by type")


class EventStream(ABC, Iterator[StreamEvent]):
    """The events of a workflow from now on, one by one for who iterates; ``close`` it at the end."""

    @abstractmethod
    def take(self, seconds: float = 0.0) -> list[StreamEvent]:
        """Return what came, waiting for the first up to ``seconds``; empty when nothing came or the stream ended."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""

    @abstractmethod
    def close(self) -> None:
        """Hear no more; whoever waits is woken. Twice is fine."""
