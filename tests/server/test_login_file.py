"""The file of users, and the program that keeps it."""

import os
import pty
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.server.server_process import environment, until
from torc_core.errors import Invalid, NotFound, Unsupported
from torc_server import htpasswd, passwords

AMY = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"  # of "secret", cost 4


def written(tmp_path, text):
    path = tmp_path / "users"
    path.write_text(text)
    return path


def test_blank_lines_and_comments_do_not_count(tmp_path):
    path = written(tmp_path, f"# people\n\n  amy:{AMY}  \n   # bob:x\nzoé:{AMY}\n")
    assert htpasswd.read(path) == {"amy": AMY, "zoé": AMY}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f"amy:{AMY}\nbob\n", 2, "NAME:HASH"),
        (f"\n:{AMY}\n", 2, "name is missing"),
        ("bob:$apr1$x$y\n", 1, "bcrypt"),
        ("bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 1, "bcrypt"),
        ("bob:secret\n", 1, "bcrypt"),
        (f"bob:{AMY[:-1]}\n", 1, "bcrypt"),
        (f"bob:{AMY.replace('$04$', '$03$')}\n", 1, "bcrypt"),
        (f"bob:{AMY}:x\n", 1, "bcrypt"),
        (f"anonymous:{AMY}\n", 1, "has not logged in"),
        (f"amy:{AMY}\n# x\namy:{AMY}\n", 3, "already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, line, said):
    path = written(tmp_path, text)
    with pytest.raises(Invalid, match=said) as caught:
        htpasswd.read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("text", ["", "# nobody yet\n\n"])
def test_a_file_without_users_is_refused(tmp_path, text):
    with pytest.raises(Invalid, match="no users"):
        htpasswd.read(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(Invalid, match="No such file"):
        htpasswd.read(tmp_path / "nothing")
    (tmp_path / "latin").write_bytes(b"zo\xe9:x\n")
    with pytest.raises(Invalid, match="UTF-8"):
        htpasswd.read(tmp_path / "latin")


@pytest.mark.parametrize("variant", ["2a", "2b", "2y"])
def test_the_variants_of_other_programs_are_understood(variant):
    kept = AMY.replace("2b", variant, 1)
    assert passwords.is_hash(kept)
    assert passwords.is_right("secret", kept)
    assert not passwords.is_right("Secret", kept)


def test_a_known_hash_is_verified():
    # from the test vectors of the bcrypt algorithm: the password "U*U" with cost 5
    kept = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    assert passwords.is_right("U*U", kept)
    assert not passwords.is_right("U*U*", kept)


def test_passwords_that_would_be_cut_are_not_taken():
    assert passwords.is_right("é" * 36, passwords.hashed("é" * 36, 4))
    for password in ("x" * 73, "é" * 37, "", "a\0b"):
        with pytest.raises(Invalid):
            passwords.hashed(password, 4)


def test_odd_passwords_are_wrong_and_no_error():
    for password in ("", "x" * 500, "a\0b", "\ud800"):
        assert not passwords.is_right(password, AMY)
    assert not passwords.is_right("secret", passwords.of_nobody(4))


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(Unsupported, match="bcrypt") as caught:
        passwords.library()
    assert "torc[auth]" in caught.value.hint


def test_changes_keep_the_rest_of_the_file(tmp_path):
    path = written(tmp_path, f"# people\namy:{AMY}\n\nbob:{AMY}\n")
    new = passwords.hashed("other", 4)
    assert htpasswd.put(path, "zoe", AMY) is True
    assert htpasswd.put(path, "amy", new) is False
    htpasswd.remove(path, "bob")
    assert path.read_text() == f"# people\namy:{new}\n\nzoe:{AMY}\n"
    with pytest.raises(NotFound, match="bob"):
        htpasswd.remove(path, "bob")


def test_only_its_owner_may_read_the_file(tmp_path):
    path = written(tmp_path, f"amy:{AMY}\n")
    path.chmod(0o644)
    assert htpasswd.is_exposed(path)
    htpasswd.put(path, "bob", AMY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not htpasswd.is_exposed(path)
    assert {file.name for file in tmp_path.iterdir()} == {"users", ".users.lock"}


def test_a_link_to_the_file_stays_one(tmp_path):
    path = written(tmp_path, f"amy:{AMY}\n")
    link = tmp_path / "link"
    link.symlink_to(path)
    htpasswd.put(link, "bob", AMY)
    assert link.is_symlink()
    assert list(htpasswd.read(path)) == ["amy", "bob"]


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = written(tmp_path, f"amy:{AMY}\n")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Invalid, match="No space left"):
        htpasswd.put(path, "bob", AMY)
    assert path.read_text() == f"amy:{AMY}\n"
    assert not (tmp_path / ".users.new").exists()


def test_many_who_add_at_once_lose_nothing(tmp_path):
    path = tmp_path / "users"
    names = [f"user{number}" for number in range(40)]
    threads = [threading.Thread(target=htpasswd.put, args=(path, name, AMY)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(htpasswd.read(path)) == sorted(names)


@pytest.mark.parametrize("name", ["", "a:b", " a", "a ", "#a", "a\nb", "anonymous"])
def test_names_that_nobody_could_log_in_with_are_refused(tmp_path, name):
    with pytest.raises(Invalid):
        htpasswd.put(tmp_path / "users", name, AMY)
    assert not (tmp_path / "users").exists()


# the program


def program(tmp_path, *words, given="", code=0):
    done = subprocess.run(
        [sys.executable, "-c", "from torc_server.user_commands import main; main()", *words], input=given, text=True,
        capture_output=True, cwd=tmp_path, env=environment(tmp_path), timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done
    return done


def test_the_program_adds_changes_lists_checks_and_removes(tmp_path):
    words = ("-f", "users", "-c", "4")
    assert "Added amy" in program(tmp_path, "add", *words, "amy", "-p", "one").stdout
    assert "Changed" in program(tmp_path, "add", *words, "amy", given="two\n").stdout
    program(tmp_path, "add", *words, "bob", given="three")
    assert "two" not in (tmp_path / "users").read_text()
    assert (tmp_path / "users").read_text().startswith("amy:$2b$04$")
    listed = program(tmp_path, "list", "-f", "users").stdout
    assert [line.split()[0] for line in listed.splitlines()[2:4]] == ["amy", "bob"]
    assert "right" in program(tmp_path, "verify", "-f", "users", "amy", given="two\n").stdout
    assert "wrong" in program(tmp_path, "verify", "-f", "users", "amy", "-p", "one", code=1).stdout
    program(tmp_path, "verify", "-f", "users", "zoe", "-p", "two", code=1)
    program(tmp_path, "remove", "-f", "users", "amy")
    assert "no user amy" in program(tmp_path, "remove", "-f", "users", "amy", code=1).stderr


def test_the_program_calls_itself_by_its_own_name(tmp_path):
    page = program(tmp_path, "--help").stdout
    assert page.startswith("Usage: torc-htpasswd [OPTIONS] COMMAND")
    assert "\n  torc-htpasswd add -f users.htpasswd amy " in page
    assert "torc server user" not in page
    assert program(tmp_path, "add", "--help").stdout.startswith("Usage: torc-htpasswd add [OPTIONS] USER\n")
    assert "Try 'torc-htpasswd add --help'" in program(tmp_path, "add", "-f", "users", code=2).stderr


def test_the_same_commands_of_the_other_programs_have_the_name_that_is_typed_there(tmp_path):
    for start, name in (("torc_core.cli.main", "torc server"), ("torc_server.commands", "torc-server")):
        words = ["server", "user", "--help"] if name == "torc server" else ["user", "--help"]
        done = subprocess.run(
            [sys.executable, "-c", f"from {start} import main; main()", *words], text=True, capture_output=True,
            cwd=tmp_path, env=environment(tmp_path), timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout.startswith(f"Usage: {name} user [OPTIONS] COMMAND")
        assert f"\n  {name} user add -f users.htpasswd amy " in done.stdout


def test_a_line_can_be_made_without_the_file(tmp_path):
    line = program(tmp_path, "hash", "-c", "4", given="secret\n").stdout.strip()
    name, _, kept = line.partition(":")
    assert name == "ada"  # who asks
    assert passwords.is_right("secret", kept)
    assert program(tmp_path, "hash", "zoe", "-c", "4", "-p", "x").stdout.startswith("zoe:$2b$04$")


def test_bad_requests_are_told(tmp_path):
    assert "standard input" in program(tmp_path, "add", "-f", "users", "amy", code=2).stderr
    assert "one line" in program(tmp_path, "add", "-f", "users", "amy", given="a\nb\n", code=1).stderr
    assert "name" in program(tmp_path, "add", "-f", "users", "a:b", "-p", "x", code=1).stderr
    assert "no folder" in program(tmp_path, "add", "-f", "there/users", "amy", "-p", "x", "-c", "4", code=1).stderr
    assert "4<=x<=31" in program(tmp_path, "add", "-f", "users", "amy", "-p", "x", "-c", "3", code=2).stderr
    assert not (tmp_path / "users").exists()


def test_on_a_terminal_it_asks_twice_and_shows_nothing(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from torc_server.user_commands import main; main()"]
    process = subprocess.Popen(
        [*command, "add", "-f", "users", "-c", "4", "amy"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
        env=environment(tmp_path), start_new_session=True, preexec_fn=_terminal,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    for question in (b"Password of amy: ", b"The same again: "):
        while question not in seen:
            seen += os.read(ours, 1024)
        os.write(ours, b"secret\n")
    while b"Added amy" not in seen:
        seen += os.read(ours, 1024)  # fails when the program has ended without a word
    assert process.wait(60) == 0
    os.close(ours)
    assert b"secret" not in seen
    [kept] = htpasswd.read(tmp_path / "users").values()
    assert passwords.is_right("secret", kept)


def _terminal():
    """Make standard input the terminal of the new session, as a shell would."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_processes_that_add_at_once_lose_nothing(tmp_path):
    command = [sys.executable, "-c", "from torc_server.user_commands import main; main()", "add", "-f", "users"]
    processes = [
        subprocess.Popen([*command, "-c", "4", f"u{n}", "-p", "x"], cwd=tmp_path, env=environment(tmp_path))
        for n in range(6)
    ]
    until(lambda: all(process.poll() is not None for process in processes), "they do not end")
    assert sorted(htpasswd.read(Path(tmp_path, "users"))) == [f"u{n}" for n in range(6)]
