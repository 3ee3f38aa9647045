"""What is asked of the service itself."""

from torc_core.operations import operation
from torc_core.records import answers as a


class SystemOperations:
    """What is asked of the service itself."""

    @operation("GET", "/ping", "system")
    def ping(self) -> a.Ping:
        """Say that the service is there."""

    @operation("GET", "/version", "system")
    def get_version(self) -> a.Version:
        """Say which release this is."""
