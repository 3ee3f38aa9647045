"""Plugins that break something are named, and the rest works."""

import re
import sys

import pytest

from tests.plugins.plugin_texts import HEAD, executors
from torc_core.errors import NotFound, PluginError
from torc_core.plugins import COMMAND, EXECUTOR, FORMAT, PluginHost
from torc_core.spec.plan import Plan


def codes(host):
    return [problem.code for problem in host.problems]


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
        (
            f"{HEAD}\n@hookimpl\ndef torc_register_executors():\n    return Provider('x', 'a:B')",
            "plugin-failed",
            "returned a Provider, expected a list of Provider",
        ),
        (executors("x", target="module"), "plugin-failed", 'expected "package.module:Attribute"'),
        (executors("big one"), "plugin-failed", 'the name "big one"'),
        (executors("-x"), "plugin-failed", 'the name "-x"'),
        (executors("a:b"), "plugin-failed", 'the name "a:b"'),
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
    assert "TORC_PLUGINS_DISABLED=b or TORC_PLUGINS_DISABLED=a" in problem.hint


def test_two_plugins_with_one_name_are_not_mixed(plugin):
    folder = plugin("pbs", executors("one"))
    (folder / "other_pbs-1.dist-info").mkdir()
    (folder / "other_pbs-1.dist-info" / "entry_points.txt").write_text("[torc]\npbs = torc_pbs\n")
    host = PluginHost()
    assert [p.state for p in host.plugins() if p.name == "pbs"] == ["active", "broken"]
    assert codes(host) == ["plugin-duplicate"]
    words = re.findall(r"TORC_PLUGINS_DISABLED=(\S+)", host.problems[0].hint)
    assert sorted(words) == ["other-pbs", "torc-pbs"]
    for word in words:
        left = PluginHost(disabled=[word])
        assert sorted(p.state for p in left.plugins() if p.name == "pbs") == ["active", "disabled"]
        assert left.problems == []


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


@pytest.mark.parametrize("group", ["torc", "torc.commands"])
def test_a_command_that_is_built_in_is_not_replaced_and_not_listed(plugin, group):
    hook = "\n@hookimpl\ndef torc_register_commands():\n    return [Provider('run', 'torc_run:main')]\n"
    plugin("run", HEAD + hook, group=group, target="torc_run:main" if group == "torc.commands" else "")
    host = PluginHost(own_commands={"run", "jobs"})
    assert "run" not in [offer.provider.name for offer in host.offers(COMMAND)]
    assert codes(host) == ["plugin-duplicate"]
    assert "is built in and cannot be replaced" in host.problems[0].message


def test_what_is_missing_is_told_with_failures_that_may_be_the_reason_only(plugin):
    plugin("gone", "import no_such_library")
    plugin("none", f"{HEAD}\n@hookimpl\ndef torc_register_spec_formats(): ...")
    plugin("local", executors("local"))
    with pytest.raises(NotFound) as caught:
        PluginHost().format_for("toml")
    assert "no_such_library" in str(caught.value)
    assert "torc_register_spec_formats returned a NoneType" in str(caught.value)
    assert "torc-local" not in str(caught.value)


def test_two_commands_with_one_name_are_reported(plugin):
    folder = plugin("greet", "", group="torc.commands", target="torc_greet:main")
    (folder / "zz_greet-1.dist-info").mkdir()
    (folder / "zz_greet-1.dist-info" / "entry_points.txt").write_text("[torc.commands]\ngreet = torc_greet:other\n")
    host = PluginHost()
    assert [offer.plugin.distribution for offer in host.offers(COMMAND)] == ["torc", "torc-greet"]
    assert codes(host) == ["plugin-duplicate"]
