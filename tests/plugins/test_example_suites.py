"""The examples pass the suites for authors of plugins."""

import pytest

from torc_core.plugins import PluginHost
from torc_core.testing.executors import ExecutorSuite
from torc_core.testing.monitors import MonitorSuite
from torc_core.testing.storage import StorageSuite


@pytest.fixture(autouse=True)
def _installed(examples, on_path):
    on_path(examples)


class TestNiceExecutor(ExecutorSuite):
    __test__ = True

    def make(self, tmp_path):
        return PluginHost().executor("nice")()


class TestPssMonitor(MonitorSuite):
    __test__ = True

    def make(self, tmp_path):
        return PluginHost().monitor("pss")


class TestScratchStorage(StorageSuite):
    @pytest.fixture(autouse=True)
    def _scratch(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SCRATCH", str(tmp_path))

    def make(self, tmp_path):
        return PluginHost().storage("scratch")("jobs.db")
