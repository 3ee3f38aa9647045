"""Which plugins are used, and how what they offer is found."""

import sys

import pytest

from tests.plugins.plugin_texts import HEAD, executors
from torc_core.contracts.executor import Executor
from torc_core.errors import NotFound, PluginError
from torc_core.plugins import EXECUTOR, FORMAT, PluginHost

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
    with pytest.raises(PluginError, match="torc_half:Half lacks cancel, close") as caught:
        PluginHost().executor("half")
    assert caught.value.hint == "torc_core.contracts.executor.Executor says what each has to do"


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


def test_settings_for_a_misspelt_plugin_are_reported(plugin):
    plugin("solar", HEAD)
    host = PluginHost(settings={"solra": {"project": "x"}, "solar": {}, "elsewhere": {}, "builtin": {}})
    host.plugins()
    [problem] = host.problems
    assert (problem.code, problem.severity, problem.hint) == ("plugin-unknown", "warning", 'Did you mean "solar"?')
    assert "[plugins.solra]" in problem.message
