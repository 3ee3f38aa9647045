import tomllib

import pytest

from torc_core.config import config_files, load_config, read_config
from torc_core.config.options import OPTIONS, BadValue, check, expected, from_text
from torc_core.config.places import locate
from torc_core.config.show import as_toml, nested, template
from torc_core.problems import ProblemsFound


class Place:
    """A machine with a system file, a home and a working directory."""

    def __init__(self, root):
        self.system, self.home, self.cwd = root / "etc.toml", root / "home", root / "work"
        self.user = self.home / ".config" / "torc" / "config.toml"
        self.user.parent.mkdir(parents=True)
        self.cwd.mkdir()
        self.local = self.cwd / "torc.toml"
        self.env = {"HOME": str(self.home)}

    def load(self, given=None, **env):
        return load_config(str(self.cwd), self.env | env, given, system=str(self.system))

    def problems(self, text, **env):
        self.local.write_text(text)
        return read_config(str(self.cwd), self.env | env, system=str(self.system)).problems


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


# layers


def test_without_anything_the_published_defaults_hold(place):
    config = place.load()
    assert {key: config[key] for key in OPTIONS} == {
        "client.api_url": None, "client.format": "table", "client.log_level": "info", "client.json_lists": "items",
        "client.run.poll_interval": 5.0, "client.run.output_dir": "torc_output", "client.run.max_parallel_jobs": None,
        "client.run.num_cpus": None, "client.run.memory_gb": None, "client.run.num_gpus": None,
        "client.run.monitor": "auto", "client.run.cgroups": True, "client.tls.ca_cert": None,
        "client.run.lease_seconds": None,
        "client.tls.insecure": False, "server.auth_file": None, "server.require_auth": False,
        "server.credential_cache_ttl_secs": 60.0, "server.enforce_access_control": False, "server.admin_users": [],
        "server.https": False, "server.tls_cert": None, "server.tls_key": None, "plugins.only": None,
        "plugins.disabled": [], "plugins.directory": None, "plugins.trace": False,
    }  # fmt: skip
    assert set(config.sources.values()) == {"default"}
    assert (config.read, config.problems) == ([], [])


def test_each_layer_beats_those_before_it_and_is_named_as_the_source(place):
    seen = [place.load()]
    place.system.write_text('client.api_url = "system"')
    seen.append(place.load())
    place.user.write_text('[client]\napi_url = "user"')
    seen.append(place.load())
    place.local.write_text('client = { api_url = "local" }')
    seen.append(place.load())
    env = {"TORC_CLIENT__API_URL": "section"}
    seen.append(place.load(**env))
    env["TORC_API_URL"] = "own"
    seen.append(place.load(**env))
    seen.append(place.load({"client.api_url": "given"}, **env))
    assert [(config["client.api_url"], config.sources["client.api_url"]) for config in seen] == [
        (None, "default"), ("system", str(place.system)), ("user", str(place.user)), ("local", str(place.local)),
        ("section", "TORC_CLIENT__API_URL"), ("own", "TORC_API_URL"), ("given", "command line"),
    ]  # fmt: skip


def test_layers_are_joined_option_by_option(place):
    place.user.write_text("[client.run]\nnum_cpus = 4\nnum_gpus = 1")
    place.local.write_text("[client.run]\nnum_cpus = 8")
    config = place.load(TORC_CLIENT__RUN__MEMORY_GB="2.5")
    assert [config[f"client.run.{name}"] for name in ("num_cpus", "num_gpus", "memory_gb")] == [8, 1, 2.5]
    assert config.read == [str(place.user), str(place.local)]


def test_an_option_that_was_not_given_changes_nothing_and_a_default_that_was_given_wins(place):
    place.local.write_text('client.format = "json"')
    assert place.load({"client.format": None})["client.format"] == "json"
    assert place.load({"client.format": "table"})["client.format"] == "table"


def test_the_users_file_follows_xdg_and_needs_a_home():
    assert config_files("/w", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"})[1].path == "/x/torc/config.toml"
    assert config_files("/w", {"HOME": "/h"})[1].path == "/h/.config/torc/config.toml"
    assert [(file.level, file.path) for file in config_files("/w", {})] == [
        ("system", "/etc/torc/config.toml"), ("local", "/w/torc.toml"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("TORC_CLIENT__RUN__POLL_INTERVAL", "0.5", "client.run.poll_interval", 0.5),
        ("TORC_CLIENT__RUN__MAX_PARALLEL_JOBS", "3", "client.run.max_parallel_jobs", 3),
        ("TORC_JSON_LISTS", "named", "client.json_lists", "named"),
        ("RUST_LOG", "debug", "client.log_level", "debug"),
        ("TORC_PLUGINS", "a, b", "plugins.only", ["a", "b"]),
        ("TORC_PLUGINS", "", "plugins.only", []),
        ("TORC_PLUGINS_DISABLED", "a", "plugins.disabled", ["a"]),
        ("TORC_TRACE_PLUGINS", "1", "plugins.trace", True),
        ("TORC_PLUGINS__TRACE", "off", "plugins.trace", False),
        ("TORC_PLUGINS__DIRECTORY", "/etc/torc/plugins", "plugins.directory", "/etc/torc/plugins"),
        ("TORC_API_URL", "", "client.api_url", None),
    ],
)
def test_variables_have_the_type_of_their_option(place, name, text, key, value):
    assert place.load(**{name: text})[key] == value


def test_settings_of_plugins_are_joined_key_by_key(place):
    place.user.write_text('[plugins.site-rules]\nproject = "solar"\nlimit = 3')
    place.local.write_text('[plugins.site-rules]\nlimit = 4\n[plugins.other]\nlist = [1, "a"]')
    assert place.load().plugin_settings == {
        "site-rules": {"project": "solar", "limit": 4},
        "other": {"list": [1, "a"]},
    }


# what is wrong


@pytest.mark.parametrize(
    ("text", "line", "column", "code", "words"),
    [
        ('[client]\nformat = "xml"', 2, 1, "config-value", 'cannot read "xml": expected table or json'),
        ("client.run.poll_interval = 0", 1, 1, "config-value", "0 is out of range: expected a number greater than 0"),
        ("\n[client.run]\n  num_cpus = 0", 3, 3, "config-value", "expected a whole number, 1 or more"),
        ("[client.run]\nnum_cpus = 2.5", 2, 1, "config-value", "cannot read 2.5"),
        ("[client.run]\nnum_cpus = true", 2, 1, "config-value", "cannot read true"),
        ("[client.run]\nmemory_gb = inf", 2, 1, "config-value", "out of range"),
        ("[client.run]\nmemory_gb = nan", 2, 1, "config-value", "out of range"),
        ("# c\n[plugins]\ndisabled = [\n 'a',\n 1,\n]\n", 3, 1, "config-value", "expected a list of words"),
        ("[client]\napi_ulr = 'x'", 2, 1, "config-unknown", "there is no option client.api_ulr"),
        ("[clients]\nformat = 'json'", 1, 1, "config-unknown", "there is no option clients"),
        ("client = 3", 1, 1, "config-value", "client is a table: [client]"),
        ("plugins.onyl = ['a']", 1, 1, "config-unknown", "there is no option plugins.onyl"),
        ("[client\n", 1, 8, "config-syntax", "Expected"),
        ("a = 1\na = 2", 2, 6, "config-syntax", "overwrite"),
        ("[plugins]\ndirectory = '/x'", 2, 1, "config-place", "not taken from a project's file"),
    ],
)
def test_a_mistake_is_an_error_with_file_line_column_and_reason(place, text, line, column, code, words):
    [problem] = place.problems(text)
    assert (problem.file, problem.line, problem.column) == (str(place.local), line, column)
    assert (problem.code, problem.severity) == (code, "error")
    assert words in problem.message
    with pytest.raises(ProblemsFound):
        place.load()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("[clients]\nformat = 'json'", "client"),
        ("clent = 1", "client"),
        ("poll_interval = 5", "client.run.poll_interval"),
        ("[client]\napi_ulr = 'x'", "client.api_url"),
        ("[client.rnu]\nnum_cpus = 2", "client.run"),
        ("[client]\nrun_output = 'x'", "client.run.output_dir"),
    ],
)
def test_an_unknown_key_leads_to_the_one_that_was_meant(place, text, meant):
    [problem] = place.problems(text)
    assert problem.hint == f'Did you mean "{meant}"?'


def test_all_mistakes_are_told_at_once_and_the_rest_is_read(place):
    place.user.write_text("[client]\nformat = 3\nlog_level = 'warn'\n[client.run]\nnum_cpus = 'x'\n")
    place.local.write_text("nonsense")
    config = read_config(str(place.cwd), place.env | {"TORC_CLIENT__RUN__NUM_GPUS": "-1"}, system=str(place.system))
    assert [(p.file, p.line) for p in config.problems] == [
        (str(place.user), 2), (str(place.user), 5), (str(place.local), 1), ("TORC_CLIENT__RUN__NUM_GPUS", 0),
    ]  # fmt: skip
    assert (config["client.log_level"], config["client.format"]) == ("warn", "table")


def test_an_unknown_option_gets_a_suggestion(place):
    [problem] = place.problems("[client.run]\noutputdir = 'x'")
    assert problem.hint == 'Did you mean "client.run.output_dir"?'


def test_a_folder_of_plugins_is_taken_from_the_user_and_must_be_absolute(place):
    place.user.write_text("plugins.directory = '/srv/plugins'")
    assert place.load()["plugins.directory"] == "/srv/plugins"
    place.user.write_text("plugins.directory = 'plugins'")
    with pytest.raises(ProblemsFound):
        place.load()


@pytest.mark.parametrize(
    "text",
    [
        "[server]\nport = 8080", "[dash]\nhost = 'x'", "[client.slurm]\npoll_interval = 30", "[client.watch]\na = 1",
        "[client.hpc.custom_profiles.x]\nname = 'x'", "[client.run]\nclaim_backoff_max_secs = 300",
        "[server.logging]\nlog_dir = 'x'",
    ],
)  # fmt: skip
def test_tables_of_other_releases_and_programs_do_no_harm(place, text):
    [problem] = place.problems(text)
    assert (problem.severity, problem.code) == ("note", "config-unused")
    place.load()


@pytest.mark.parametrize("text", ["client.tls.insecure = true", "client.tls.ca_cert = 'theirs.pem'"])
def test_a_project_does_not_say_which_servers_are_trusted(place, text):
    place.local.write_text(text)
    config = place.load()
    assert (config["client.tls.insecure"], config["client.tls.ca_cert"]) == (False, None)
    assert [(problem.severity, problem.code) for problem in config.problems] == [("warning", "config-place")]
    place.user.write_text(text)
    assert place.load()[text.partition(" ")[0]] in (True, "theirs.pem")


def test_variables_of_other_programs_do_no_harm(place):
    assert place.problems("", TORC_SERVER__PORT="x", TORC_CLIENT__SLURM__POLL_INTERVAL="30") == []
    [unknown] = place.problems("", TORC_CLIENT__FORMATT="json")
    assert (unknown.severity, unknown.hint) == ("warning", 'Did you mean "client.format"?')
    [shared] = place.problems("", RUST_LOG="torc=debug,info")
    assert (shared.severity, shared.file) == ("warning", "RUST_LOG")


def test_a_variable_of_ours_that_cannot_be_read_is_an_error(place):
    with pytest.raises(ProblemsFound) as caught:
        place.load(TORC_CLIENT__RUN__POLL_INTERVAL="soon")
    assert str(caught.value.problems[0]) == (
        "TORC_CLIENT__RUN__POLL_INTERVAL: error[config-value] client.run.poll_interval: "
        'cannot read "soon": expected a number greater than 0'
    )


def test_a_wrong_value_on_the_command_line_is_an_error(place):
    with pytest.raises(ProblemsFound) as caught:
        place.load({"client.run.num_cpus": 0})
    assert caught.value.problems[0].file == "command line"


def test_a_file_that_cannot_be_read_is_an_error(place):
    place.local.mkdir()
    [problem] = read_config(str(place.cwd), place.env, system=str(place.system)).problems
    assert problem.code == "config-read"
    place.local.rmdir()
    place.local.write_bytes(b"\xff")
    [problem] = read_config(str(place.cwd), place.env, system=str(place.system)).problems
    assert (problem.code, problem.file) == ("config-read", str(place.local))


@pytest.mark.parametrize(
    ("text", "path", "where"),
    [
        ("a = 1\nb = 2", ("b",), (2, 1)),
        ("[t]\n\n  b.c = 2", ("t", "b", "c"), (3, 3)),
        ('"x y" = 1', ("x y",), (1, 1)),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), (4, 1)),
        ("a = { b = [\n1] }\nc = 1", ("a", "b"), (1, 1)),
        ("[a]\n[b]\nx = 1", ("b",), (2, 1)),
        ("a = 1", ("z",), (0, 0)),
    ],
)
def test_keys_are_found_however_they_are_written(text, path, where):
    assert locate(text, path) == where


# showing


def test_what_is_shown_can_be_read_again_and_says_where_it_comes_from(place):
    place.user.write_text('[client]\napi_url = "http://x/\\"q\\""\n[plugins.s]\n"a b" = { c = [1, true, 1979-05-27] }')
    config = place.load(TORC_CLIENT__RUN__NUM_CPUS="4")
    text = as_toml(config)
    assert tomllib.loads(text) == nested(config)
    assert f"  # {place.user}" in next(line for line in text.splitlines() if line.startswith("api_url"))
    assert "num_cpus = 4  # TORC_CLIENT__RUN__NUM_CPUS" in text
    assert "# num_gpus is not set" in text


def test_nested_has_only_what_is_set(place):
    tree = nested(place.load())
    assert tree["client"] == {
        "format": "table", "log_level": "info", "json_lists": "items",
        "run": {"poll_interval": 5.0, "output_dir": "torc_output", "monitor": "auto", "cgroups": True},
        "tls": {"insecure": False},
    }  # fmt: skip


def test_a_new_file_changes_nothing_and_lists_every_option(place):
    place.user.write_text(template(for_project=False))
    place.local.write_text(template(for_project=True))
    assert set(place.load().sources.values()) == {"default"}
    for option in OPTIONS.values():
        assert f"# {option.key.rpartition('.')[2]} =" in place.user.read_text()
    assert "directory" not in place.local.read_text()


def test_the_defaults_in_a_new_file_are_the_defaults(place):
    lines = [line.removeprefix("# ") for line in template(for_project=False).splitlines()]
    settings = "\n".join(line for line in lines if line.startswith("[") or (" = " in line and "(" not in line))
    place.user.write_text(settings)
    config = place.load()
    assert all(config[key] == option.default for key, option in OPTIONS.items())
    assert config.sources["client.format"] == str(place.user)


# the declarations themselves


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_default_fits_its_own_option(option):
    assert option.default is None or check(option, option.default) == option.default


def test_text_for_an_option_is_read_or_refused():
    switch = OPTIONS["plugins.trace"]
    assert [from_text(switch, text) for text in ("TRUE", "yes", "0", "No")] == [True, True, False, False]
    with pytest.raises(BadValue, match="expected true or false"):
        from_text(switch, "2")
    assert expected(OPTIONS["client.run.num_gpus"]) == "a whole number, 0 or more"


def test_a_file_that_cannot_be_read_says_why_in_words(place):
    place.user.write_bytes(b"a = \xff")
    place.local.mkdir()
    config = read_config(str(place.cwd), place.env, system=str(place.system))
    assert [(p.file, p.code, p.message) for p in config.problems] == [
        (str(place.user), "config-read", "cannot be read: it is not UTF-8 text"),
        (str(place.local), "config-read", "cannot be read: Is a directory"),
    ]
