"""Monitors and decisions of plugins."""

import sys

import pytest

from tests.plugins.plugin_texts import HEAD
from torc_core.errors import Invalid, NotFound, PluginError
from torc_core.plugins import PluginHost
from torc_core.problems import Problem

MONITOR = (
    HEAD
    + """
from torc_core.contracts.monitor import Monitor

class Mine(Monitor):
    name = "mine"
    def check(self):
        return [Problem("x", "there is no such machine", hint="Buy one")] if {broken} else []
    def measure(self, commands):
        return {{}}
    def machine(self):
        return None

@hookimpl
def torc_register_monitors():
    return [Provider("mine", "torc_mine:Mine")]
"""
)


# monitors


def test_the_first_built_in_monitor_that_works_is_used_unless_one_is_named(plugin):
    plugin("mine", MONITOR.format(broken=False))
    host = PluginHost()
    assert host.monitor().name == "proc"
    assert "torc_mine" not in sys.modules
    assert host.monitor("psutil").name == "psutil"
    assert host.monitor("mine").name == "mine"


def test_where_no_built_in_monitor_works_one_of_a_plugin_does(plugin, monkeypatch):
    from torc_plugins.monitors.proc_monitor import ProcMonitor
    from torc_plugins.monitors.psutil_monitor import PsutilMonitor

    for built_in in (ProcMonitor, PsutilMonitor):
        monkeypatch.setattr(built_in, "check", lambda self: [Problem("no", "not here")])
    assert PluginHost(only=[]).monitor() is None
    plugin("mine", MONITOR.format(broken=False))
    assert PluginHost().monitor().name == "mine"


def test_a_named_monitor_that_cannot_be_used_says_why(plugin):
    plugin("mine", MONITOR.format(broken=True))
    with pytest.raises(Invalid, match='monitor "mine" cannot be used here: there is no such machine') as caught:
        PluginHost().monitor("mine")
    assert caught.value.hint == "Buy one"
    with pytest.raises(NotFound, match='monitor "their" is not available'):
        PluginHost().monitor("their")


DECIDER = """
from torc_core.hookspecs import hookimpl

@hookimpl{how}
def torc_correct_resources(adjustment):
    return {answer}
"""


def deciding():
    """Return what the installed plugins make of a proposal of 3g."""
    from torc_core.engine.corrections import Adjustment, Correction
    from torc_core.engine.resource_rules import Needs
    from torc_core.records.resources import ResourceRequirements

    needs = Needs.of(ResourceRequirements(id=3, workflow_id=1, name="big", memory="2g"))
    return PluginHost().correct_resources(Adjustment(needs, (), Correction(1, "3g", "PT1M"), True))


def gives(memory, how=""):
    return DECIDER.format(how=how, answer=f"adjustment.correction._replace(memory={memory!r})")


# decisions


def test_the_plugin_loaded_last_decides(plugin):
    plugin("a", gives("10g"))
    plugin("b", gives("20g"))
    plugin("c", DECIDER.format(how="", answer="None"))
    assert deciding().memory == "20g"


def test_a_plugin_can_ask_to_decide_first(plugin):
    plugin("a", gives("10g", "(tryfirst=True)"))
    plugin("b", gives("20g"))
    plugin("c", gives("30g", "(trylast=True)"))
    assert deciding().memory == "10g"


def test_nobody_has_to_decide(plugin):
    assert deciding() is None


CLASSIFIER = """
from torc_core.contracts.failure import Decision
from torc_core.hookspecs import hookimpl

@hookimpl
def torc_classify_failure(attempt):
    return {answer}
"""


def classified():
    ask = PluginHost().failure_classifier()
    return ask(None, None, 1, {})


def test_nobody_is_asked_about_failures_who_does_not_want_to(plugin):
    plugin("a", gives("10g"))
    assert PluginHost().failure_classifier() is None


def test_the_plugin_loaded_last_judges_a_failure(plugin):
    plugin("a", CLASSIFIER.format(answer="Decision.fail('a')"))
    plugin("b", CLASSIFIER.format(answer="Decision.retry('b', delay_seconds=2.5, recovery_script='fix')"))
    plugin("c", CLASSIFIER.format(answer="None"))
    assert classified() == ("retry", "b", 2.5, "fix")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("'retry'", "returned a str, expected Decision or None"),
        ("Decision('again')", "the verdict is 'again', expected one of retry, fail, ask"),
        ("Decision.retry(delay_seconds=-1)", "delay_seconds is -1, expected 0 to 2592000"),
        ("Decision.retry(delay_seconds=float('nan'))", "delay_seconds is nan"),
        ("Decision.retry(recovery_script=['x'])", "reason and recovery_script are text"),
        ("1 / 0", "failed in torc_classify_failure: ZeroDivisionError"),
    ],
)
def test_a_wrong_judgement_names_the_plugin(plugin, answer, said):
    plugin("odd", CLASSIFIER.format(answer=answer))
    with pytest.raises(PluginError) as caught:
        classified()
    assert said in str(caught.value)
    assert 'plugin "odd"' in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("7", "returned a int, expected Correction or None"),
        ("adjustment.correction._replace(memory='much')", "cannot read 'much'"),
        ("adjustment.correction._replace(num_cpus=-1)", "num_cpus is -1"),
        ("adjustment.no_such_thing", "failed in torc_correct_resources: AttributeError"),
    ],
)
def test_a_wrong_decision_ends_the_operation_and_names_the_plugin(plugin, answer, said):
    plugin("odd", DECIDER.format(how="", answer=answer))
    with pytest.raises(PluginError, match=said) as caught:
        deciding()
    assert 'plugin "odd"' in str(caught.value)
