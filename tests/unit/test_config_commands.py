import json
import tomllib

import pytest

from torc_core.cli.main import run


@pytest.fixture
def torc(tmp_path, monkeypatch, capsys):
    """Runs the command line in an empty directory with an empty home; returns exit code, output and errors."""
    for name in ("XDG_CONFIG_HOME", "RUST_LOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def call(*arguments):
        code = run(["config", *arguments])
        return code, *capsys.readouterr()

    return call


def test_show_prints_toml_and_with_json_only_values(torc, tmp_path):
    (tmp_path / "work" / "torc.toml").write_text("client.run.num_cpus = 4")
    code, out, err = torc("show")
    assert (code, err) == (0, "")
    assert tomllib.loads(out)["client"]["run"]["num_cpus"] == 4
    for arguments in (["show", "-f", "json"], ["show", "--format", "json"]):
        assert json.loads(torc(*arguments)[1])["client"]["run"]["num_cpus"] == 4


def test_paths_tells_which_files_exist(torc, tmp_path):
    (tmp_path / "work" / "torc.toml").write_text("")
    code, out, _ = torc("paths", "-f", "json")
    assert code == 0
    assert json.loads(out)["files"][1:] == [
        {"level": "user", "path": f"{tmp_path}/home/.config/torc/config.toml", "exists": False},
        {"level": "local", "path": f"{tmp_path}/work/torc.toml", "exists": True},
    ]
    assert "TORC_<SECTION>__<KEY>" in torc("paths")[1]


def test_init_writes_the_users_file_once(torc, tmp_path):
    file = tmp_path / "home" / ".config" / "torc" / "config.toml"
    assert torc("init")[:2] == (0, f"Wrote {file}\n")
    file.write_text("# mine\n")
    code, out, err = torc("init", "--user")
    assert (code, out) == (1, "")
    assert f"{file} exists already" in err
    assert "--force" in err
    assert file.read_text() == "# mine\n"
    assert torc("init", "-f")[0] == 0
    assert "poll_interval" in file.read_text()


def test_init_local_writes_into_the_directory(torc, tmp_path):
    assert torc("init", "--local")[0] == 0
    assert "poll_interval" in (tmp_path / "work" / "torc.toml").read_text()
    assert torc("validate")[0] == 0


def test_validate_shows_key_settings_of_a_good_configuration(torc, tmp_path):
    (tmp_path / "work" / "torc.toml").write_text("client.api_url = 'http://x/torc-service/v1'")
    code, out, err = torc("validate")
    assert (code, err) == (0, "")
    assert "client.api_url         http://x/torc-service/v1  " in out


def test_validate_lists_everything_that_is_wrong(torc, tmp_path):
    (tmp_path / "work" / "torc.toml").write_text("[client]\nformat = 'xml'\nlog_levle = 'info'\n")
    code, out, err = torc("validate")
    assert (code, out) == (1, "")
    assert [line.partition(": ")[0].rpartition("/")[2] for line in err.splitlines()] == [
        "torc.toml:2:1",
        "torc.toml:3:1",
    ]
    code, out, _ = torc("validate", "-f", "json")
    body = json.loads(out)
    assert (code, body["valid"]) == (1, False)
    assert [(problem["code"], problem["line"]) for problem in body["problems"]] == [
        ("config-value", 2),
        ("config-unknown", 3),
    ]


def test_validate_tells_of_a_folder_of_plugins_that_cannot_be_read(torc, tmp_path, monkeypatch):
    file = tmp_path / "home" / ".config" / "torc" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f"[client]\nformat = 'table'\n\n[plugins]\n  directory = '{tmp_path}/gone'\n")
    code, out, err = torc("validate")
    assert (code, out) == (1, "")
    what = f"plugins.directory: cannot read {tmp_path}/gone: No such file or directory"
    assert f"config.toml:5:3: error[config-folder] {what}. Correct the path, make the folder, or" in err
    body = json.loads(torc("validate", "-f", "json")[1])
    assert (body["valid"], [problem["line"] for problem in body["problems"]]) == (False, [5])
    (tmp_path / "gone").mkdir()
    assert torc("validate")[0] == 0
    monkeypatch.setenv("TORC_PLUGINS__DIRECTORY", str(file))  # wins, and is no folder
    code, out, err = torc("validate")
    assert (code, out) == (1, "")
    assert err.startswith("TORC_PLUGINS__DIRECTORY: error[config-folder] plugins.directory: cannot read ")
    assert "Not a directory" in err


def test_other_commands_go_on_without_a_folder_of_plugins(torc, monkeypatch, tmp_path):
    monkeypatch.setenv("TORC_PLUGINS__DIRECTORY", f"{tmp_path}/gone")
    assert torc("show")[0] == 0


def test_other_commands_refuse_a_bad_configuration_with_its_place(torc, tmp_path):
    (tmp_path / "work" / "torc.toml").write_text("[client]\nformat = 'xml'\n")
    code, out, err = torc("show")
    assert (code, out) == (1, "")
    assert 'torc.toml:2:1: error[config-value] client.format: cannot read "xml": expected table or json' in err


def test_paths_and_init_work_with_a_bad_configuration(torc, tmp_path):
    (tmp_path / "work" / "torc.toml").write_text("nonsense")
    assert torc("paths")[0] == 0
    assert torc("init", "--local", "--force")[0] == 0
    assert torc("show")[0] == 0
