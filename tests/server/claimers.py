"""A process of claimers: ``python claimers.py PORT WORKFLOW_ID NODE_ID COUNT`` prints the ids that each was given.

A third of them use each of the three calls that give jobs. They begin together, when a line comes on standard input.
"""

import http.client
import json
import sys
import threading

BASE = "/torc-service/v1/workflows/"
ROOM = {"num_cpus": 4, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1}


def main(port, workflow_id, node_id, count):
    calls = (
        ("claim_next_jobs?limit=2", None),
        ("claim_jobs_based_on_resources/3", ROOM),
        ("tick", {"compute_node_id": int(node_id), "run_id": 0, "limit": 1}),
    )
    given = [[] for _ in range(int(count))]
    gate = threading.Barrier(len(given) + 1)

    def work(number):
        path, body = calls[number % len(calls)]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=300)
        connection.connect()
        gate.wait()
        while True:
            data = None if body is None else json.dumps(body)
            connection.request("POST", f"{BASE}{workflow_id}/{path}", data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            jobs = json.loads(text)["jobs"]
            if not jobs:
                return
            given[number] += [job["id"] for job in jobs]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(given))]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    gate.wait()
    for thread in threads:
        thread.join()
    print(json.dumps(given))


main(*sys.argv[1:])
