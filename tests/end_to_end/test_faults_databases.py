"""Databases that are damaged, of others, or deleted while they are used: clear errors, and nothing is lost."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.end_to_end.faults import (
    assert_clear,
    refused,
    remove,
    running,
    torc,
    wait_for,
    works_again,
    write_spec,
    writes,
)

COMMANDS = (["status", "1"], ["jobs", "list", "1"], ["run", "1"], ["run", "spec.json"], ["delete", "1", "--no-prompts"])


@pytest.fixture(scope="module")
def good_database(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("good")
    write_spec(folder, *({"command": f"echo {i}"} for i in range(100)))
    assert torc(folder, "run", "spec.json").returncode == 0
    return (folder / "torc_output/torc.db").read_bytes()


def spoil_header(data: bytearray) -> None:
    data[:16] = b"x" * 16


def spoil_schema(data: bytearray) -> None:
    chance = random.Random(1)
    for i in range(200, len(data), 50):
        data[i] = chance.randrange(256)


def spoil_pages(data: bytearray) -> None:
    for i in range(25 * 4096, len(data), 7):
        data[i] ^= 0xFF


def cut(data: bytearray) -> None:
    del data[10_000:]


def cut_in_the_header(data: bytearray) -> None:
    del data[50:]


@pytest.mark.parametrize("spoil", [spoil_header, spoil_schema, spoil_pages, cut, cut_in_the_header])
def test_a_damaged_database_is_named_and_left_as_it_is(spoil, good_database, tmp_path):
    writes(tmp_path)
    database = tmp_path / "torc_output/torc.db"
    database.parent.mkdir()
    data = bytearray(good_database)
    spoil(data)
    database.write_bytes(data)
    for words in COMMANDS:
        refused(torc(tmp_path, *words), "torc_output/torc.db is damaged", "Restore a backup", "move it away")
    assert database.read_bytes() == data
    database.rename(tmp_path / "away.db")
    works_again(tmp_path)


@pytest.mark.parametrize("seed", range(10))
def test_a_few_wrong_bytes_are_never_a_defect_of_ours(seed, good_database, tmp_path):
    writes(tmp_path)
    database = tmp_path / "torc_output/torc.db"
    database.parent.mkdir()
    chance, data = random.Random(seed), bytearray(good_database)
    for _ in range(30):
        data[chance.randrange(100, len(data))] = chance.randrange(256)
    database.write_bytes(data)
    for words in COMMANDS[:2]:
        done = torc(tmp_path, *words)
        assert_clear(done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("statement", "command"),
    [
        ("UPDATE resource_requirements SET runtime = 'PT_M'", ["workflows", "reinit", "1"]),
        ("UPDATE jobs SET status = 77", ["jobs", "list", "1"]),
        ("UPDATE jobs SET status = 'x'", ["jobs", "list", "1"]),
        ("UPDATE jobs SET env = '{'", ["jobs", "list", "1"]),
        ("UPDATE jobs SET name = CAST(x'ff' AS TEXT) WHERE id = 1", ["jobs", "list", "1"]),
        ("UPDATE results SET status = -77", ["results", "list", "1"]),
    ],
)
def test_a_damaged_value_is_told(statement, command, good_database, tmp_path):
    database = tmp_path / "torc_output/torc.db"
    database.parent.mkdir()
    database.write_bytes(good_database)
    change(database, statement)
    writes(tmp_path)
    refused(torc(tmp_path, *command), "damaged", "Restore a ")


def change(database: Path, *statements: str) -> bytes:
    database.parent.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    return database.read_bytes()


def test_a_database_of_a_newer_version_is_refused_and_not_changed(good_database, tmp_path):
    writes(tmp_path)
    database = tmp_path / "torc_output/torc.db"
    database.parent.mkdir()
    database.write_bytes(good_database)
    before = change(database, "PRAGMA user_version = 99")
    for words in COMMANDS:
        refused(torc(tmp_path, *words), "torc_output/torc.db was written by a newer torc", "version 99", "Update torc")
    assert database.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path):
    writes(tmp_path)
    database = tmp_path / "torc_output/torc.db"
    before = change(database, "CREATE TABLE songs(title)", "INSERT INTO songs VALUES ('a')")
    for words in COMMANDS:
        refused(torc(tmp_path, *words), "torc_output/torc.db is not a torc database", "Choose another place")
    assert database.read_bytes() == before


def test_an_empty_file_becomes_a_database(tmp_path):
    (tmp_path / "torc_output").mkdir()
    (tmp_path / "torc_output/torc.db").touch()
    refused(torc(tmp_path, "status", "1"), "no workflow with id 1")
    works_again(tmp_path)


def test_a_folder_and_a_text_where_the_database_should_be(tmp_path):
    writes(tmp_path)
    database = tmp_path / "torc_output/torc.db"
    database.mkdir(parents=True)
    for words in COMMANDS:
        refused(torc(tmp_path, *words), "torc_output/torc.db")
    database.rmdir()
    database.write_text("a letter to my mother")
    for words in COMMANDS:
        refused(torc(tmp_path, *words), "torc_output/torc.db is damaged or not a database")
    assert database.read_text() == "a letter to my mother"


@pytest.mark.parametrize("what", ["torc_output", "torc_output/torc.db"])
def test_a_database_that_is_deleted_during_a_run_is_told(what, tmp_path):
    process = running(tmp_path, 200)
    for path in [tmp_path / what, *(tmp_path / "torc_output").glob("torc.db?*")]:
        remove(path)
    said = tmp_path / "err.txt"
    try:
        wait_for(lambda: "removed or replaced" in said.read_text(), "the loss to be told")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) > 0
    finally:
        process.kill()
    assert_clear(said.read_text())
    assert "torc_output/torc.db was removed or replaced" in said.read_text()
    works_again(tmp_path)
