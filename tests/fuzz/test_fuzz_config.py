"""Configuration files and variables of every kind: values of the declared types, or one TorcError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.anything import SCALARS, WORDS, many
from torc_core.cli.main import run
from torc_core.config import load_config
from torc_core.config.options import OPTIONS
from torc_core.errors import TorcError

VALID = """\
[client]
api_url = "http://localhost:8080/torc-service/v1"
format = "table"
log_level = "info"

[client.run]
poll_interval = 5.0
output_dir = "torc_output"
max_parallel_jobs = 4

[server]
host = "127.0.0.1"
port = 8080

[plugins]
disabled = ["a"]

[plugins.pbs]
queue = "short"
"""
PIECES = ["[", "]", "[[", "]]", '"', "'", '"""', "=", "\n", "#", "{", "}", ",", ".", "inf", "nan", "-1", "0x1",
          "1979-05-27", "true", "\\u12", "\0", "client", "plugins", "run", "\t", "1e999", "9" * 30]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.sampled_from(PIECES) | WORDS) + text[start + draw(st.integers(0, 12)) :]
    return text


def load(folder, data: bytes, env: dict[str, str]) -> None:
    (folder / "torc.toml").write_bytes(data)
    try:
        config = load_config(str(folder), env, system=str(folder / "none.toml"))
    except TorcError as exc:
        assert str(exc)
        return
    for key in OPTIONS:
        config[key]


@many
@given(mutated() | st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_a_file_is_read_or_refused(tmp_path, text):
    load(tmp_path, text.encode(errors="surrogatepass"), {})


@many
@given(st.binary(max_size=60))
def test_bytes_that_are_no_text_are_refused(tmp_path, data):
    load(tmp_path, data, {})


@many
@given(st.sampled_from(sorted(OPTIONS)), SCALARS)
def test_a_variable_is_read_or_refused(tmp_path, key, value):
    name = "TORC_" + key.upper().replace(".", "__")
    load(tmp_path, b"", {name: str(value)})


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"\0", b"[" * 10_000, b"a = " + b"[" * 10_000, b"a." * 1000 + b"a = 1", b"a = " + b"9" * 5000, b"x"],
)
def test_a_bad_file_is_told_by_every_command(data, tmp_path, monkeypatch, capsys):
    (tmp_path / "torc.toml").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    for words in (["status", "1"], ["config", "show"], ["config", "validate"], ["-f", "json", "status", "1"]):
        code = run(words)
        said = capsys.readouterr()
        assert code in (1, 2), said
        assert "torc.toml" in said.out + said.err
        assert "internal error" not in said.out + said.err, said.err
