"""Real servers that encrypt: certificates, who trusts them, versions, and what is told to those who do not encrypt."""

import json
import socket
import ssl
import subprocess
import warnings

import pytest

from tests.server.logins import torc, users
from tests.server.server_process import ServerProcess
from tests.server.sockets import body_of, connect
from torc_core.errors import Unavailable
from torc_core.service.http import HttpService
from torc_core.service.server_address import BASE, Encryption, Login


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    torc(folder, "server", "cert", "127.0.0.1", "localhost")
    return folder


@pytest.fixture(scope="module")
def encrypted(certificate, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encrypted")
    rules = ("--auth-file", users(folder, "amy"), "--require-auth")
    server = ServerProcess(
        folder,
        "--https",
        "--tls-cert",
        certificate / "torc-server.crt",
        "--tls-key",
        certificate / "torc-server.key",
        *rules,
    )
    server.url = server.url.replace("http:", "https:")
    yield server
    server.close()


def test_the_key_of_a_certificate_is_for_its_owner(certificate):
    assert (certificate / "torc-server.key").stat().st_mode & 0o077 == 0
    assert "there already" in torc(certificate, "server", "cert", "localhost", code=1).stderr


def test_a_client_trusts_the_certificates_that_it_is_given(encrypted, certificate, tmp_path):
    env = {"TORC_API_URL": encrypted.url, "TORC_USERNAME": "amy", "TORC_PASSWORD": "amy-pw"}
    ca = certificate / "torc-server.crt"
    assert "Server is running" in torc(tmp_path, "ping", "--tls-ca-cert", ca, **env).stdout
    assert "Server is running" in torc(tmp_path, "ping", TORC_TLS_CA_CERT=str(ca), **env).stdout
    refused = torc(tmp_path, "ping", code=1, **env).stderr
    assert "certificate" in refused
    assert "--tls-ca-cert" in refused
    careless = torc(tmp_path, "ping", "--tls-insecure", **env)
    assert "Server is running" in careless.stdout
    assert "not checked" in careless.stderr
    assert "Server is running" in torc(tmp_path, "ping", TORC_TLS_INSECURE="1", **env).stdout


def test_commands_of_the_same_user_know_the_server_that_they_find(encrypted):
    env = {"TORC_USERNAME": "amy", "TORC_PASSWORD": "amy-pw"}
    found = torc(encrypted.folder, "ping", **env)
    assert "Server is running" in found.stdout
    assert "https://127.0.0.1" in found.stderr
    [server] = json.loads(torc(encrypted.folder, "server", "status", "-f", "json").stdout)["servers"]
    assert server["answers"] is True


def test_a_name_that_is_not_in_the_certificate_is_refused(encrypted, certificate):
    ca = Encryption(str(certificate / "torc-server.crt"))
    good = HttpService(encrypted.url, Login("amy", "amy-pw"), ca)
    assert good.ping().status == "ok"
    good.close()
    bad = HttpService(encrypted.url.replace("127.0.0.1", "127.0.0.2"), Login("amy", "amy-pw"), ca)
    with pytest.raises(Unavailable):
        bad.ping()
    bad.close()


def test_curl_trusts_it_too(encrypted, certificate):
    words = [
        "curl",
        "-sS",
        "--cacert",
        str(certificate / "torc-server.crt"),
        "-u",
        "amy:amy-pw",
        f"{encrypted.url}/ping",
    ]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == '{"status":"ok"}'


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(encrypted, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    refused = pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION")  # in TLS: it is no HTTP without encryption
    with socket.create_connection(("127.0.0.1", encrypted.port)) as plain, refused:
        context.wrap_socket(plain)
    modern = ssl.create_default_context()
    modern.check_hostname, modern.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", encrypted.port)) as plain, modern.wrap_socket(plain) as secured:
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_runs_work_over_tls(encrypted, certificate, tmp_path):
    (tmp_path / "w.yaml").write_text("name: w\njobs: [{name: a, command: echo done > a.txt}]\n")
    env = {"TORC_API_URL": encrypted.url, "TORC_USERNAME": "amy", "TORC_PASSWORD": "amy-pw"}
    torc(tmp_path, "run", "w.yaml", TORC_TLS_CA_CERT=str(certificate / "torc-server.crt"), **env)
    assert (tmp_path / "a.txt").read_text() == "done\n"


def test_whoever_does_not_encrypt_is_told_to(encrypted, tmp_path):
    plain = encrypted.url.replace("https:", "http:")
    assert "begins with https" in torc(tmp_path, "ping", "--url", plain, code=1).stderr
    for words in ([], ["-X", "PUT", "-d", "x" * 100_000]):
        done = subprocess.run(
            ["curl", "-sS", "-w", " %{http_code}", *words, f"{plain}/ping"], capture_output=True, text=True, check=True
        )
        assert done.stdout.endswith(" 400"), done
        assert "begins with https" in done.stdout


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"])
def test_every_method_without_encryption_gets_the_same_answer(encrypted, method):
    with connect(encrypted.port) as sock:
        sock.sendall(f"{method} {BASE}/jobs/1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        said = b"".join(iter(lambda: sock.recv(4096), b""))  # to the end: a reset would raise
    status, body = body_of(said)
    assert (status, b"begins with https" in body) == (400, True)


@pytest.mark.parametrize(
    ("name", "reason"), [("nothing.pem", "No such file or directory"), ("users", "no certificate in PEM form")]
)
def test_certificates_that_cannot_be_used_are_told(tmp_path, name, reason):
    users(tmp_path, "amy")
    words = ("server", "run", "--port", "0", "--database", "x.db", "--tls-cert", name)
    done = torc(tmp_path, *words, code=2)
    assert name in done.stderr
    ping = torc(tmp_path, "ping", "--url", "https://127.0.0.1:1", "--tls-ca-cert", name, code=2)
    assert ping.stderr == f"Error: cannot use the certificates in {name}: {reason}\n"
