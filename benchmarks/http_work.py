"""Clients of a server as programs of their own: ``python http_work.py WORK URL WORKFLOW_ID COUNT CLIENTS``.

They use what Python brings along, so that their own time is small, and keep their connections. What they took goes to
standard output, in seconds; it leaves out the start of Python and what has to be there before.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

_BATCH = 8
"""Jobs that a runner holds."""
_MOMENT = "2026-01-01T00:00:00.000Z"
_OWN = {"User-Agent": "torc/1"}
"""Who asks for a tick is a runner of ours."""


class Client:
    """One connection, with no more of HTTP than this server needs: what a client takes is none of its time."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        place = urlsplit(url)
        fields = {"Host": place.netloc, "Content-Type": "application/json"} | headers
        self._base = place.path
        self._head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._socket = socket.create_connection((str(place.hostname), place.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __call__(self, method: str, path: str, data: Any = None) -> Any:
        """Return the JSON of the answer."""
        body = b"" if data is None else json.dumps(data).encode()
        head = f"{method} {self._base}{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        head, text = self._answer()
        if not head.startswith("HTTP/1.1 200 "):
            raise RuntimeError(f"{method} {path}: {head[:40]} {text[:300]!r}")
        return json.loads(text)

    def _answer(self) -> tuple[str, bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        head = data[:end].decode()
        length = int(head.lower().partition("content-length:")[2].split(None, 1)[0])
        pieces, missing = [data[end + 4 :]], length - (len(data) - end - 4)
        while missing > 0:
            pieces.append(self._receive())
            missing -= len(pieces[-1])
        return head, b"".join(pieces)

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise RuntimeError("the server has ended the connection")
        return data


def _node(ask: Client, workflow_id: int, number: int) -> int:
    node = {
        "workflow_id": workflow_id, "hostname": f"node{number}", "pid": 1, "start_time": _MOMENT, "num_cpus": 8,
        "memory_gb": 16, "num_gpus": 0, "num_nodes": 1, "is_active": True, "compute_node_type": "local",
    }  # fmt: skip
    node_id: int = ask("POST", "/compute_nodes", node)["id"]
    return node_id


def tick(url: str, workflow_id: int, count: int, clients: int) -> Callable[[int], int]:
    """Runners that hold 8 jobs: results in, next jobs out."""

    def work(number: int) -> int:
        ask, done = Client(url, _OWN), 0
        report = {"compute_node_id": _node(ask, workflow_id, number), "run_id": 0, "limit": _BATCH}
        news: dict[str, Any] = {}
        while jobs := ask("POST", f"/workflows/{workflow_id}/tick", report | news)["jobs"]:
            done += len(jobs)
            news["started"] = [{"job_id": job["id"], "start_time": _MOMENT} for job in jobs]
            news["finished"] = [
                {
                    "job_id": job["id"], "attempt_id": job["attempt_id"], "return_code": 0, "status": "completed",
                    "exec_time_minutes": 0.1, "completion_time": _MOMENT,
                }
                for job in jobs
            ]  # fmt: skip
        return done

    return work


def pairs(url: str, workflow_id: int, count: int, clients: int) -> Callable[[int], int]:
    """Strangers that claim one job and complete it, one after the other."""

    def work(number: int) -> int:
        ask, done = Client(url, {}), 0
        node_id = _node(ask, workflow_id, number)
        while jobs := ask("POST", f"/workflows/{workflow_id}/claim_next_jobs?limit=1")["jobs"]:
            job_id = jobs[0]["id"]
            result = {
                "workflow_id": workflow_id, "job_id": job_id, "run_id": 0, "compute_node_id": node_id,
                "return_code": 0, "status": "completed", "exec_time_minutes": 0.1,
                "completion_time": _MOMENT,
            }  # fmt: skip
            ask("POST", f"/jobs/{job_id}/complete_job/completed/0", result)
            done += 1
        return done

    return work


def create(url: str, workflow_id: int, count: int, clients: int) -> Callable[[int], int]:
    """One client that stores many jobs, 10,000 in a request."""
    bodies = [
        [{"workflow_id": workflow_id, "name": f"job{i}", "command": f"process --input {i}.in"} for i in range(a, b)]
        for a, b in ((start, min(start + 10_000, count)) for start in range(0, count, 10_000))
    ]

    def work(number: int) -> int:
        ask = Client(url, {})
        return sum(len(ask("POST", "/bulk_jobs", {"jobs": jobs})["jobs"]) for jobs in bodies)

    return work


def listing(url: str, workflow_id: int, count: int, clients: int) -> Callable[[int], int]:
    """One client that asks for all jobs at once."""

    def work(number: int) -> int:
        return len(Client(url, {})("GET", f"/jobs?workflow_id={workflow_id}&limit={count}")["items"])

    return work


WORK = {"tick": tick, "pairs": pairs, "create": create, "list": listing}


def main(name: str, url: str, workflow_id: str, count: str, clients: str) -> int:
    """Work until nothing is left, then report."""
    work = WORK[name](url, int(workflow_id), int(count), int(clients))
    done: list[int] = []
    threads = [threading.Thread(target=lambda k=k: done.append(work(k))) for k in range(int(clients))]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if sum(done) != int(count):
        raise SystemExit(f"{name}: {sum(done)} jobs, not {count}")
    print(seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
