"""Encrypted connections: the certificate of a server, and making one for a team that has none."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from torc_core.errors import Invalid, Unsupported, UsageError

_DAYS = 825
"""Longer ones are refused by some clients."""


def adapter(certificate: Path, key: Path | None) -> Any:
    """Return what encrypts the connections of the web server, TLS 1.2 or newer; raises UsageError.

    ``certificate`` is a PEM file with the whole chain, and with the key when ``key`` is None.
    """
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise UsageError(f"there is no file {file}", hint="Make a certificate with: torc server cert HOST")
    try:
        from cheroot.ssl.builtin import BuiltinSSLAdapter

        made = BuiltinSSLAdapter(str(certificate), str(key or certificate))
    except ssl.SSLError as exc:
        raise UsageError(f"cannot use the certificate {certificate} with its key: {_reason(exc)}") from exc
    except OSError as exc:
        raise UsageError(f"cannot read the certificate {certificate} or its key: {exc.strerror}") from exc
    made.context.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _reason(exc: ssl.SSLError) -> str:
    return {"KEY_VALUES_MISMATCH": "they do not belong together", "NO_START_LINE": "it is no PEM file"}.get(
        exc.reason or "", (exc.reason or str(exc)).lower().replace("_", " ")
    )


def make_certificate(hosts: list[str], certificate: Path, key: Path, days: int = _DAYS) -> None:
    """Write a self-signed certificate for the names and addresses of a server, and its key.

    Clients are told to trust it with ``--tls-ca-cert``. Raises Unsupported without the program openssl, Invalid for
    what it refuses and for files that are there already.
    """
    program = shutil.which("openssl")
    if program is None:
        raise Unsupported(
            "the program openssl is needed to make a certificate, and it is not there",
            hint="Install it, or ask your site for a certificate.",
        )
    for file in (certificate, key):
        if file.exists():
            raise Invalid(f"{file} is there already", hint="Remove it first, or write to another place.")
    names = ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)
    command = [
        program, "req", "-x509", "-newkey", "rsa:3072", "-sha256", "-nodes", "-days", str(days),
        "-subj", f"/CN={hosts[0][:64]}", "-addext", f"subjectAltName={names}",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "extendedKeyUsage=serverAuth",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    os.close(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # openssl keeps the mode of what is there
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        key.unlink(missing_ok=True)
        said = done.stderr.strip().splitlines() or ["it did not say why"]
        raise Invalid(f"openssl made no certificate: {said[-1]}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
