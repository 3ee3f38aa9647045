"""What the tests of the runner share."""

from __future__ import annotations

import pytest

from torc_core.runner.loop import Runner
from torc_core.runner.options import RunnerOptions
from torc_plugins.executors.local import LocalExecutor


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run jobs of a service to the end; ``tell`` gets (runner, progress) with every progress."""
    monkeypatch.chdir(tmp_path)

    def go(service, tell=None, host=None, **options):
        options = {"output_dir": "out", "max_parallel_jobs": 2, "idle_seconds": 0.2, "poll_seconds": 0.5, **options}
        runner = Runner(
            service, LocalExecutor(), 1, RunnerOptions(**options), tell and (lambda progress: tell(runner, progress)),
            host,
        )  # fmt: skip
        return runner.run()

    return go
