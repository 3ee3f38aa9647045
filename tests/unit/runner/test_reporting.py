"""How long a runner waits before it asks a service again that did not answer."""

from torc_core.errors import Unavailable
from torc_core.runner.reporting import Reporter


class Away:
    """A service that is away."""

    def tick(self, workflow_id, turn):
        raise Unavailable("nobody answers")


def waits(outage_seconds):
    """Return the seconds between the questions of an outage."""
    reporter, now, found = Reporter(Away(), 1, 1, 1), 0.0, []
    while now < outage_seconds:
        assert reporter.turn(now, 1, None, list) is None
        found.append(reporter.retry_at - now)
        now = reporter.retry_at
    return found


def test_however_long_the_outage_the_service_is_asked_every_few_seconds():
    found = waits(1200)
    assert 1200 / 4 <= len(found) <= 1200 / 2 + 10
    assert max(found) <= 4


def test_the_first_questions_follow_sooner():
    assert sum(waits(1)[:2]) <= (0.25 + 0.5) * 4 / 3


def test_runners_that_lost_the_service_together_do_not_ask_together():
    assert len({round(sum(waits(60)[:10]), 3) for _ in range(20)}) > 10
