"""``torc logs``: bundles, and what is found in them."""

import json
import tarfile

import pytest

from tests.cli.programs import DIAMOND

LINES = """INFO timeout=30
room 12
cp: error writing: Disk quota exceeded
ModuleNotFoundError: No module named 'numpy'
2 failed
"""


@pytest.fixture
def output(torc):
    """An output folder as runs of workflows 1 and 12 leave it."""
    stdio = torc.path / "out" / "job_stdio"
    deep = torc.path / "out" / "resource_utilization" / "n1"
    stdio.mkdir(parents=True)
    deep.mkdir(parents=True)
    (stdio / "job_wf1_j1_r1_a1.e").write_text(LINES)
    (stdio / "job_wf1_j1_r1_a1.o").write_text("fine\n")
    (stdio / "job_wf12_j9_r1_a1.e").write_text("Segmentation fault\n")
    (torc.path / "out" / "job_runner_h_wf1_r1.log").write_text("2026-01-31T08:00:00+0000 INFO disk full of errors\n")
    (torc.path / "out" / "slurm_env_wf1_sl7_n1_pid2.log").write_text("ERROR=Killed\n")
    (deep / "resource_metrics_h_wf1_r1.db").write_bytes(b"oom")
    (torc.path / "out" / "xwf1.log").write_text("Killed\n")
    return torc.path / "out"


def found(body):
    return [(error["file"].rpartition("/")[2], error["line_number"], error["pattern_name"]) for error in body["errors"]]


EXPECTED = [
    ("job_wf1_j1_r1_a1.e", 3, "Disk Full"), ("job_wf1_j1_r1_a1.e", 4, "Missing Module"),
    ("job_wf1_j1_r1_a1.e", 5, "Generic Error"),
]  # fmt: skip


def test_a_folder_is_analyzed_for_one_workflow(torc, output):
    body = torc.json("logs", "analyze", "out", "-w", 1)
    assert found(body) == EXPECTED
    assert body["errors_by_type"] == {"Disk Full": 1, "Missing Module": 1, "Generic Error": 1}
    assert (body["workflow_id"], body["files_parsed"]) == (1, 3)
    assert (body["error_count"], body["warning_count"]) == (2, 1)
    assert body["errors"][2]["severity"] == "Warning"
    assert body["errors"][1]["line_content"] == "ModuleNotFoundError: No module named 'numpy'"


def test_the_table_has_places_counts_and_advice(torc, output):
    done = torc("logs", "analyze", "out", "-w", 1)
    assert "  [ERROR] Line 3: Disk Full - cp: error writing: Disk quota exceeded" in done.lines
    assert "  [WARNING] Line 5: Generic Error - 2 failed" in done.lines
    assert any(line.startswith("  Disk Full: 1. Make room or raise the quota") for line in done.lines)


def test_which_workflow_must_be_said_where_there_are_several(torc, output):
    done = torc("logs", "analyze", "out", code=1)
    assert "workflows 1, 12" in done.err
    assert "It has those of 1, 12." in torc("logs", "analyze", "out", "-w", 3, code=1).err
    assert torc.json("logs", "analyze", "out", "-w", 12)["errors_by_type"] == {"Segmentation Fault": 1}


def test_a_long_line_is_cut(torc, output):
    (output / "job_stdio" / "job_wf1_j2_r1_a1.log").write_text("error " + "x" * 100_000 + "\nKilled\n")
    body = torc.json("logs", "analyze", "out", "-w", 1)
    assert len(body["errors"][3]["line_content"]) == 120
    assert found(body)[3:] == [("job_wf1_j2_r1_a1.log", 1, "Generic Error"), ("job_wf1_j2_r1_a1.log", 2, "OOM Killed")]


def test_a_bundle_has_the_files_of_one_workflow_and_says_what_it_is(torc, output):
    torc.create(DIAMOND)
    body = torc.json("logs", "bundle", 1, "-o", "out", "--bundle-dir", "kept")
    assert (body["status"], body["bundle"], body["files_collected"]) == ("success", "kept/wf1.tar.gz", 5)
    with tarfile.open(torc.path / "kept" / "wf1.tar.gz") as bundle:
        names = bundle.getnames()
        metadata = json.load(bundle.extractfile("bundle_metadata.json"))
    assert sorted(names) == [
        "bundle_metadata.json", "out/job_runner_h_wf1_r1.log", "out/job_stdio/job_wf1_j1_r1_a1.e",
        "out/job_stdio/job_wf1_j1_r1_a1.o", "out/resource_utilization/n1/resource_metrics_h_wf1_r1.db",
        "out/slurm_env_wf1_sl7_n1_pid2.log",
    ]  # fmt: skip
    assert (metadata["workflow_name"], metadata["workflow_user"], metadata["workflow_description"]) == (
        "diamond", "ada", "four jobs"
    )  # fmt: skip
    assert metadata["total_size_bytes"] == sum(
        path.stat().st_size for path in output.rglob("*wf1_*") if path.is_file()
    )  # fmt: skip
    analyzed = torc.json("logs", "analyze", "kept/wf1.tar.gz")
    assert found(analyzed) == EXPECTED
    assert 'Workflow 1 "diamond"' in torc("logs", "analyze", "kept/wf1.tar.gz").out


def test_what_jobs_of_a_real_run_wrote_is_found(torc):
    torc("run", torc.write("spec.yaml", DIAMOND.replace("echo broken", "echo No space left on device")))
    torc("logs", "bundle")
    body = torc.json("logs", "analyze", "wf1.tar.gz")
    assert body["errors_by_type"]["Disk Full"] == 1


def test_what_cannot_be_analyzed_is_told(torc):
    torc.write("broken.tar.gz", "no archive")
    for words, said in (
        (("analyze", "nowhere"), "there is no nowhere"), (("analyze", "broken.tar.gz"), "no bundle that can be read"),
        (("analyze", "."), "no log files of a workflow"),
    ):  # fmt: skip
        err = torc("logs", *words, code=1).err
        assert said in err
        assert len(err.splitlines()) == 2  # what is wrong, and what to do
    torc.create(DIAMOND)
    assert "torc_output has no files of workflow 1" in torc("logs", "bundle", code=1).err


def test_no_database_is_needed(torc, output):
    torc("logs", "analyze", "out", "-w", 1)
    assert not (torc.path / "torc_output").exists()
