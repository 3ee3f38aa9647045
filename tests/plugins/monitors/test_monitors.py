"""The monitors pass the suite for monitors."""

from torc_core.testing.monitors import MonitorSuite
from torc_plugins.monitors.proc_monitor import ProcMonitor
from torc_plugins.monitors.psutil_monitor import PsutilMonitor


class TestProcMonitor(MonitorSuite):
    __test__ = True

    def make(self, tmp_path):
        return ProcMonitor()


class TestPsutilMonitor(MonitorSuite):
    __test__ = True

    def make(self, tmp_path):
        return PsutilMonitor()
