import sys

import pytest

from torc_core.contracts.executor import Executor
from torc_core.errors import Invalid, NotFound, PluginError
from torc_core.plugins import COMMAND, EXECUTOR, FORMAT, PluginHost
from torc_core.problems import Problem
from torc_core.spec.plan import Plan

HEAD = """
from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl
from torc_core.problems import Problem
"""


def executors(*names, target="no_such_module:Thing"):
    providers = ", ".join(f"Provider({name!r}, {target!r})" for name in names)
    return f"{HEAD}\n@hookimpl\ndef torc_register_executors():\n    return [{providers}]\n"


def codes(host):
    return [problem.code for problem in host.problems]


# built in


def test_the_built_in_providers_are_all_there():
    host = PluginHost(only=[])
    offered = {
        kind: [offer.provider.name for offer in host.offers(kind)] for kind in (FORMAT, EXECUTOR, "storage", "monitor")
    }
    assert offered == {
        FORMAT: ["json", "json5", "yaml", "kdl"],
        EXECUTOR: ["local", "dry-run"],
        "storage": ["sqlite", "memory", "postgresql"],
        "monitor": ["proc", "psutil"],
    }


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.yaml", "yaml"), ("a.yml", "yaml"), ("A.JSON", "json"), ("x/a.json5", "json5"), ("a.jsonc", "json5"),
        ("a.b.kdl", "kdl"), ("yaml", "yaml"),
    ],
)  # fmt: skip
def test_a_format_is_chosen_by_the_end_of_the_file_name_or_by_its_own(file, name):
    assert PluginHost(only=[]).format_for(file).name == name


def test_every_built_in_provider_can_be_imported():
    assert PluginHost(only=[]).check() == []


def test_built_in_names_are_answered_without_looking_for_plugins(plugin):
    plugin("loud", "raise RuntimeError('imported')")
    host = PluginHost()
    assert issubclass(host.executor("local"), Executor)
    assert [host.storage(place).__name__ for place in ("sqlite:a:b.db", "memory")] == ["SqliteStorage", "MemoryStorage"]
    assert host.format_for("a.json").name == "json"
    assert "torc_loud" not in sys.modules
    assert host.problems == []


# lookup


def test_a_name_that_is_not_built_in_is_looked_for_among_plugins(plugin):
    plugin("pbs", executors("pbs", target="torc_pbs_executor:Pbs")).joinpath("torc_pbs_executor.py").write_text(
        "from torc_core.contracts.executor import Executor\n"
        "class Pbs(Executor):\n    render = submit = poll = cancel = close = lambda self: None\n"
    )
    host = PluginHost()
    assert host.executor("pbs").__name__ == "Pbs"


def test_listing_imports_the_plugin_but_not_what_it_offers(plugin):
    folder = plugin("pbs", executors("pbs", target="torc_heavy:Pbs"))
    (folder / "torc_heavy.py").write_text("raise RuntimeError('imported')")
    host = PluginHost()
    assert "pbs" in [offer.provider.name for offer in host.offers(EXECUTOR)]
    assert "torc_heavy" not in sys.modules
    assert host.problems == []


def test_a_target_that_cannot_be_loaded_names_plugin_target_and_cause(plugin):
    plugin("pbs", executors("pbs", target="torc_pbs:Missing"))
    with pytest.raises(PluginError) as caught:
        PluginHost().executor("pbs")
    for part in ('plugin "pbs" (torc-pbs 0.2)', "torc_pbs:Missing", "no attribute 'Missing'"):
        assert part in str(caught.value)


def test_a_target_that_is_something_else_is_refused(plugin):
    plugin("pbs", executors("pbs", target="torc_pbs:Provider"))
    with pytest.raises(PluginError, match="torc_pbs:Provider is not a subclass of Executor"):
        PluginHost().executor("pbs")


def test_a_target_without_all_methods_is_refused_with_their_names(plugin):
    body = (
        "\nfrom torc_core.contracts.executor import Executor\nclass Half(Executor):\n    submit = poll = render = 1\n"
    )
    plugin("half", executors("half", target="torc_half:Half") + body)
    with pytest.raises(PluginError, match="torc_half:Half lacks cancel, close"):
        PluginHost().executor("half")


def test_an_unknown_name_gets_a_suggestion_and_the_choices():
    with pytest.raises(NotFound, match='executor "locl" is not available') as caught:
        PluginHost(only=[]).executor("locl")
    assert caught.value.hint == 'Did you mean "local"? Available: local, dry-run'


def test_an_unknown_name_tells_which_plugin_could_not_be_loaded(plugin):
    plugin("pbs", "import no_such_library")
    with pytest.raises(NotFound) as caught:
        PluginHost().executor("pbs")
    told = 'executor "pbs" is not available: plugin "pbs" (torc-pbs 0.2) failed to load: ModuleNotFoundError: '
    assert str(caught.value) == told + "No module named 'no_such_library' (torc_pbs.py:1)"


def test_the_longest_suffix_decides(plugin):
    source = (
        f"{HEAD}\n@hookimpl\ndef torc_register_spec_formats():\n"
        "    long = Provider('long', 'torc_two:Long', '', ('.y.x',))\n"
        "    return [Provider('short', 'torc_two:Short', '', ('.x',)), long]\n"
        "from torc_core.contracts.formats import SpecFormat\n"
        "class Short(SpecFormat):\n    name = 'short'\n    loads = dumps = lambda self: None\n"
        "class Long(Short):\n    name = 'long'\n"
    )
    plugin("two", source)
    host = PluginHost()
    assert (host.format_for("a.y.x").name, host.format_for("a.x").name) == ("long", "short")


def test_a_format_that_cannot_be_made_is_left_out_of_all_formats(plugin):
    plugin(
        "bad", f"{HEAD}\n@hookimpl\ndef torc_register_spec_formats():\n    return [Provider('bad', 'torc_bad:Bad')]\n"
    )
    host = PluginHost()
    assert [made.name for made in host.formats()] == ["json", "json5", "yaml", "kdl"]
    assert 'plugin "bad" (torc-bad 0.2)' in host.problems[0].message


# which plugins are used


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["a", "b"]), ({"only": ["a"]}, ["a"]), ({"only": []}, []), ({"disabled": ["a"]}, ["b"]),
        ({"disabled": ["torc-b"]}, ["a"]), ({"only": ["a", "b"], "disabled": ["b"]}, ["a"]),
    ],
)  # fmt: skip
def test_plugins_are_chosen_by_name_or_distribution(plugin, choice, expected):
    for name in ("a", "b"):
        plugin(name, executors(name))
    host = PluginHost(**choice)
    offered = [offer.provider.name for offer in host.offers(EXECUTOR)]
    assert offered == ["local", "dry-run", *expected]
    assert {p.name: p.state for p in host.plugins() if p.name in "ab"} == {
        name: "active" if name in expected else "disabled" for name in "ab"
    }


def test_a_disabled_plugin_is_not_imported(plugin):
    plugin("loud", "raise RuntimeError('imported')")
    host = PluginHost(disabled=["loud"])
    host.plugins()
    assert "torc_loud" not in sys.modules
    assert host.problems == []


def test_a_name_in_torc_plugins_that_is_not_installed_is_reported(plugin):
    plugin("site_rules", executors("x"))
    host = PluginHost(only=["site_rule"])
    host.plugins()
    [problem] = host.problems
    assert 'names "site_rule"' in problem.message
    assert problem.hint == 'Did you mean "site_rules"?'


def test_site_files_are_plugins_and_come_last(plugin, tmp_path):
    modify = "\n@hookimpl\ndef torc_modify_spec(spec, settings):\n    spec['order'] += [__name__, settings.get('at')]\n"
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "aaa.py").write_text(HEAD + modify)
    (folder / "_not_a_plugin.py").write_text("raise RuntimeError")
    plugin("zzz", HEAD + modify)
    host = PluginHost(directory=str(folder), settings={"aaa": {"at": "site"}})
    spec = {"order": []}
    host.amend_spec(spec, "a.yaml")
    assert spec == {"order": ["torc_zzz", None, "torc_site_aaa", "site"]}


def test_a_folder_of_site_files_that_is_not_there_is_reported(tmp_path):
    host = PluginHost(only=[], directory=str(tmp_path / "missing"))
    host.plugins()
    assert "missing" in host.problems[0].message


def test_a_plugin_that_asks_to_be_first_or_last_is(plugin):
    for name, option in (("a", "trylast=True"), ("b", ""), ("c", "tryfirst=True"), ("d", "")):
        plugin(name, f"{HEAD}\n@hookimpl({option})\ndef torc_modify_spec(spec):\n    spec['order'] += '{name}'\n")
    spec = {"order": []}
    PluginHost().amend_spec(spec, "a.yaml")
    assert spec["order"] == ["c", "b", "d", "a"]


def test_a_class_can_be_the_plugin(plugin):
    source = f"{HEAD}\nclass Hooks:\n    @hookimpl\n    def torc_modify_spec(spec):\n        spec['seen'] = True\n"
    plugin("cls", source, target="torc_cls:Hooks")
    spec = {}
    PluginHost().amend_spec(spec, "a.yaml")
    assert spec == {"seen": True}


# failures


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("import no_such_library", "plugin-import", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("import sys; sys.exit(3)", "plugin-import", "SystemExit: 3"),
        ("def f(:", "plugin-import", "SyntaxError: invalid syntax"),
        (f"{HEAD}\n@hookimpl\ndef torc_modify_spec(spec, colour): ...", "plugin-hook", "colour"),
        (f"{HEAD}\n@hookimpl(wrapper=True)\ndef torc_modify_spec(spec):\n    yield", "plugin-hook", "is a wrapper"),
        (f"{HEAD}\n@hookimpl\ndef torc_modify_spek(spec): ...", "plugin-hook", "there is no hook torc_modify_spek"),
        ("def torc_modify_spec(spec): ...", "plugin-hook", "not marked with @hookimpl"),
        (f"{HEAD}\n@hookimpl\ndef torc_register_executors():\n    1 / 0", "plugin-failed", "ZeroDivisionError"),
        (f"{HEAD}\n@hookimpl\ndef torc_register_executors(): ...", "plugin-failed", "returned a NoneType"),
        (f"{HEAD}\n@hookimpl\ndef torc_register_executors():\n    return ['x']", "plugin-failed", "list with a str"),
        (executors("x", target="module"), "plugin-failed", 'expected "package.module:Attribute"'),
        (executors("local"), "plugin-duplicate", 'also offered by plugin "builtin"'),
    ],
)
def test_a_plugin_that_breaks_a_rule_is_reported_by_name_and_the_rest_works(plugin, source, code, said):
    plugin("odd", source)
    plugin("well", executors("well"))
    host = PluginHost()
    assert "well" in [offer.provider.name for offer in host.offers(EXECUTOR)]
    assert codes(host) == [code]
    assert 'plugin "odd" (torc-odd 0.2)' in host.problems[0].message
    assert said in host.problems[0].message
    assert host.executor("local").__name__ == "LocalExecutor"


def test_suffixes_that_are_not_a_tuple_are_refused(plugin):
    source = "\n@hookimpl\ndef torc_register_spec_formats():\n    return [Provider('csv', 'a:B', suffixes=('.csv'))]\n"
    plugin("csv", HEAD + source)
    host = PluginHost()
    host.offers(FORMAT)
    assert """has the suffixes '.csv', expected a tuple""" in host.problems[0].message


def test_the_first_of_two_providers_with_one_name_is_used_and_both_are_named(plugin):
    plugin("b", executors("pbs", "more", target="b:B"))
    plugin("a", executors("pbs", target="a:A"))
    host = PluginHost()
    offers = {offer.provider.name: offer for offer in host.offers(EXECUTOR)}
    assert (offers["pbs"].plugin.name, offers["more"].plugin.name) == ("a", "b")
    [problem] = host.problems
    assert 'executor "pbs" of plugin "b" (torc-b 0.2)' in problem.message
    assert 'plugin "a" (torc-a 0.2)' in problem.message
    assert "TORC_PLUGINS_DISABLED=b" in problem.hint


def test_two_plugins_with_one_name_are_not_mixed(plugin):
    folder = plugin("pbs", executors("one"))
    (folder / "other_pbs-1.dist-info").mkdir()
    (folder / "other_pbs-1.dist-info" / "entry_points.txt").write_text("[torc]\npbs = torc_pbs\n")
    host = PluginHost()
    assert [p.state for p in host.plugins() if p.name == "pbs"] == ["active", "broken"]
    assert codes(host) == ["plugin-duplicate"]


def test_a_rule_that_raises_stops_the_spec_and_is_named(plugin):
    plugin("rule", f"{HEAD}\n@hookimpl\ndef torc_modify_spec(spec):\n    spec['jobs'][0]\n")
    with pytest.raises(PluginError) as caught:
        PluginHost().amend_spec({}, "a.yaml")
    assert str(caught.value) == (
        "plugin \"rule\" (torc-rule 0.2) failed in torc_modify_spec: KeyError: 'jobs' (torc_rule.py:8)"
    )
    assert "TORC_PLUGINS_DISABLED=rule" in caught.value.hint


def test_a_rule_that_returns_a_new_spec_is_told_to_change_it(plugin):
    plugin("rule", f"{HEAD}\n@hookimpl\ndef torc_modify_spec(spec):\n    return dict(spec)\n")
    with pytest.raises(PluginError, match="returned a dict"):
        PluginHost().amend_spec({}, "a.yaml")


def test_a_check_that_raises_is_a_warning_beside_the_findings_of_others(plugin):
    plugin("a", f"{HEAD}\n@hookimpl\ndef torc_validate_spec(plan):\n    raise ValueError('odd')\n")
    plugin("b", f"{HEAD}\n@hookimpl\ndef torc_validate_spec(plan):\n    return [Problem('b', 'found')]\n")
    broken, found = PluginHost().validate_plan(Plan())
    assert (broken.severity, broken.code) == ("warning", "plugin-failed")
    assert "ValueError: odd (torc_a.py:8)" in broken.message
    assert (found.severity, found.code) == ("error", "b")


def test_calls_are_printed_when_asked_for(plugin, capsys):
    plugin("rule", f"{HEAD}\n@hookimpl\ndef torc_modify_spec(spec, source): ...\n")
    PluginHost(trace=True).amend_spec({"name": "x"}, "a.yaml")
    line = capsys.readouterr().err.splitlines()[-1]
    assert (
        line == "torc: plugin \"rule\" (torc-rule 0.2): torc_modify_spec(spec={'name': 'x'}, source='a.yaml') -> None"
    )


def test_each_registry_hook_is_called_once(plugin):
    plugin(
        "count", HEAD + "calls = []\n@hookimpl\ndef torc_register_executors():\n    calls.append(1)\n    return []\n"
    )
    host = PluginHost()
    host.plugins()
    host.check()
    assert sys.modules["torc_count"].calls == [1]


def test_commands_of_their_own_group_are_offered_without_being_imported(plugin):
    plugin("greet", "raise RuntimeError('imported')", group="torc.commands", target="torc_greet:main")
    host = PluginHost()
    [offer] = [offer for offer in host.offers(COMMAND) if offer.plugin.distribution != "torc"]
    assert (offer.provider.name, offer.plugin.distribution) == ("greet", "torc-greet")
    assert "torc_greet" not in sys.modules


def test_two_commands_with_one_name_are_reported(plugin):
    folder = plugin("greet", "", group="torc.commands", target="torc_greet:main")
    (folder / "zz_greet-1.dist-info").mkdir()
    (folder / "zz_greet-1.dist-info" / "entry_points.txt").write_text("[torc.commands]\ngreet = torc_greet:other\n")
    host = PluginHost()
    assert [offer.plugin.distribution for offer in host.offers(COMMAND)] == ["torc", "torc-greet"]
    assert codes(host) == ["plugin-duplicate"]


# monitors


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


# decisions


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
