"""Provenance as an RO-Crate 1.1: what its specification asks for, and what really happened."""

import hashlib
import json

import pytest

SPEC = """
name: tides
description: heights of tides
enable_ro_crate: true
jobs:
  - {name: sort, command: sort -n raw.txt > sorted.txt, input_files: [raw], output_files: [sorted]}
  - {name: fails, command: cat sorted.txt; exit 4, input_files: [sorted], output_files: [never]}
files:
  - {name: raw, path: raw.txt, identifier: "https://doi.org/10.1234/tides"}
  - {name: sorted, path: "sorted.txt"}
  - {name: never, path: "a b.txt"}
"""


@pytest.fixture
def tides(torc):
    torc.write("raw.txt", "3\n1\n2\n")
    torc("run", torc.write("spec.yaml", SPEC))
    return torc


def graph(torc, *words):
    document = json.loads(torc("ro-crate", "export", 1, *words).out)
    assert document["@context"] == "https://w3id.org/ro/crate/1.1/context"
    return {entity["@id"]: entity for entity in document["@graph"]}


def refer(*ids):
    return [{"@id": id} for id in ids]


def test_the_crate_describes_itself_and_lists_its_files(tides):
    found = graph(tides)
    assert found["ro-crate-metadata.json"] == {
        "@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }  # fmt: skip
    root = found["./"]
    assert (root["@type"], root["name"], root["description"]) == ("Dataset", "tides", "heights of tides")
    assert root["hasPart"] == refer("https://doi.org/10.1234/tides", "sorted.txt", "a%20b.txt")
    assert found[root["creator"]["@id"]]["name"] == "ada"


def test_a_file_has_its_identifier_size_time_and_sum(tides):
    raw = graph(tides, "--hash")["https://doi.org/10.1234/tides"]
    assert (raw["@type"], raw["sameAs"], raw["contentSize"]) == ("File", "raw.txt", "6")
    assert raw["sha256"] == hashlib.sha256(b"3\n1\n2\n").hexdigest()
    assert raw["dateModified"].endswith("+00:00")
    assert "sha256" not in graph(tides)["sorted.txt"]


def test_each_job_is_an_action_between_files_that_says_how_it_ended(tides):
    found = graph(tides)
    sort, fails = found["#job-1-attempt-1-1"], found["#job-2-attempt-1-1"]
    assert found["./"]["mentions"] == refer(sort["@id"], fails["@id"])
    assert (sort["object"], sort["result"]) == (refer("https://doi.org/10.1234/tides"), refer("sorted.txt"))
    assert sort["actionStatus"] == {"@id": "http://schema.org/CompletedActionStatus"}
    assert sort["startTime"] <= sort["endTime"] <= fails["endTime"]
    assert found["#job-1"]["description"] == "sort -n raw.txt > sorted.txt"
    assert (fails["result"], fails["error"]) == ([], "return code 4")
    assert fails["actionStatus"] == {"@id": "http://schema.org/FailedActionStatus"}


def test_everything_that_is_referred_to_is_there(tides):
    def references(value):
        if isinstance(value, dict):
            if set(value) == {"@id"}:
                yield value["@id"]
            for item in value.values():
                yield from references(item)
        if isinstance(value, list):
            for item in value:
                yield from references(item)

    found = graph(tides)
    outside = {id for entity in found.values() for id in references(entity)} - set(found)
    assert outside == {
        "https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus",
        "http://schema.org/FailedActionStatus",
    }  # fmt: skip


def test_stored_entities_add_to_those_of_files_and_stand_beside_them(tides):
    create = ("ro-crate", "create", 1, "--entity-type")
    tides(*create, "File", "--entity-id", "sorted.txt", "--metadata", '{"encodingFormat": "text/plain"}')
    tides(*create, "Dataset", "--entity-id", "maps/", "--metadata", '{"name": "maps"}')
    found = graph(tides)
    assert (found["sorted.txt"]["name"], found["sorted.txt"]["encodingFormat"]) == ("sorted", "text/plain")
    assert {"@id": "maps/"} in found["./"]["hasPart"]
    assert [entity["entity_id"] for entity in tides.items("ro-crate", "list", 1)] == ["sorted.txt", "maps/"]
    tides("ro-crate", "update", 2, "--metadata", '{"name": "charts"}')
    assert graph(tides)["maps/"]["name"] == "charts"
    tides("ro-crate", "delete", 2)
    assert "maps/" not in graph(tides)


def test_it_is_written_into_a_file(tides):
    tides("ro-crate", "export", 1, "-o", "ro-crate-metadata.json")
    assert json.loads((tides.path / "ro-crate-metadata.json").read_text())["@graph"]
    assert "cannot write" in tides("ro-crate", "export", 1, "-o", "nowhere/x.json", code=1).err
