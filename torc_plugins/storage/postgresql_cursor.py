"""The rest of many rows: kept by the server, fetched in chunks while it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from torc_core.contracts.storage import Row

if TYPE_CHECKING:
    from torc_plugins.storage.postgresql_session import Session

CHUNK = 10_000
_NUMBERS = count(1)


class Rest:
    """Rows as they are now, whatever is written later; the end of the transaction does no harm, undoing it does."""

    def __init__(self, session: Session, text: str, values: Sequence[Any], finished: list[str]) -> None:
        """``finished`` gets the name of the cursor when nobody can ask any more: the server may forget it then."""
        self.session = session
        self._name = f"torc_rest_{next(_NUMBERS)}"
        self._finished = finished
        session.run(f"DECLARE {self._name} NO SCROLL CURSOR WITH HOLD FOR {text}", values)

    def fetch(self) -> list[Row]:
        """Return the next rows, none at the end; raises psycopg's errors."""
        return self.session.run(f"FETCH FORWARD {CHUNK} FROM {self._name}").fetchall()

    def __del__(self) -> None:
        # Whoever drops the last reference may be in the middle of a statement, so nothing is sent from here.
        self._finished.append(self._name)
