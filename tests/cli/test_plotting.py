"""``torc plot-resources``, and what its pages look like in a real browser."""

import json

import pytest

from tests.cli.programs import program
from torc_core.runner.metrics_file import JobFacts, JobSample, MetricsFile, SystemSample

MIB, GIB = 2**20, 2**30
START = 1_790_000_000.0
SPEC = """
name: plotted
resource_monitor:
  sample_interval_seconds: 1
  generate_plots: true
  jobs: {enabled: true, granularity: time_series}
  compute_node: {enabled: true, granularity: time_series}
jobs:
  - {name: a, command: 'sleep 2.4; true'}
  - {name: b, command: 'sleep 2.4; true'}
"""


@pytest.fixture
def series(torc):
    """A file with 15 jobs, and one that was too short to be sampled."""
    made = MetricsFile(torc.path / "resource_metrics_wf1.db")
    for number in range(1, 16):
        made.add_job(JobFacts(number, f"job <{number}>", 1, START, START + 100, None, None, 1, None, 3 * MIB, MIB))
        for step in range(10):
            moment, use, done = START + 10 * step, number * (step + 1), step * step * MIB
            processes = 1 + step % 3
            made.add_sample(JobSample(number, int(moment), use, use * MIB, processes, 1, moment, done, done // 2))
    made.add_job(JobFacts(99, "short", 1, START, START + 0.5, 88.0))
    for step in range(10):
        moment = START + 10 * step
        made.add_system(SystemSample(int(moment), 5.0 * step, GIB + step * 99 * MIB, 4 * GIB, moment))
    made.close()
    return "resource_metrics_wf1.db"


def test_every_picture_is_written_and_the_figures_are_shown(torc, series):
    done = torc("plot-resources", series, "-o", "plots")
    assert done.head == "ID Job Samples Seen for Peak CPU Peak memory"
    assert " ".join(done.lines[16].split()) == "15 job <15> 10 1m 40s 150% 150.0 MiB"
    assert " ".join(done.lines[17].split()) == "99 short 0 0.5s 88% not known"
    names = sorted(path.name for path in (torc.path / "plots").iterdir())
    singles = [f"job_{number}.html" for number in range(1, 16)]
    others = ["cpu_all_jobs", "memory_all_jobs", "summary", "system_timeline", "system_summary"]
    assert names == sorted([*singles, *(f"{name}.html" for name in others)])
    assert done.lines[-1] == "Wrote 20 files: plots/job_15.html ... plots/system_summary.html"


def test_jobs_prefix_and_kind_can_be_chosen(torc, series):
    torc("plot-resources", series, "-o", "plots", "-j", "3,4", "-p", "x", "-f", "json")
    names = {path.name for path in (torc.path / "plots").iterdir()}
    assert {"x_job_3.json", "x_job_4.json", "x_summary.json", "x_cpu_all_jobs.json"} < names
    data = json.loads((torc.path / "plots" / "x_job_3.json").read_text())
    assert (data["job_name"], data["peak_memory_bytes"], len(data["points"])) == ("job <3>", 30 * MIB, 10)


def test_json_lists_files_and_figures(torc, series):
    body = json.loads(torc("-f", "json", "plot-resources", series, "-j", "3", "-f", "svg").out)
    assert "job_3.svg" in body["files"]
    [job] = body["jobs"]
    assert (job["job_id"], job["peak_cpu_percent"], job["samples"]) == (3, 30.0, 10)
    assert (torc.path / "job_3.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.db",), "there is no file nowhere.db"),
        (("spec.yaml",), "cannot be read as a file of time series"),
        (("resource_metrics_wf1.db", "-j", "77"), "no time series of job 77"),
    ],
)
def test_what_cannot_be_drawn_is_told(torc, series, words, said):
    torc.write("spec.yaml", "name: no database\n" * 100)
    assert said in torc("plot-resources", *words, code=1).err


def test_a_run_draws_what_it_measured_when_asked_to(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    done = program(tmp_path, "run", "spec.yaml", "-j", "2")
    folder = tmp_path / "torc_output" / "resource_utilization"
    [database] = folder.glob("*.db")
    names = {path.name for path in folder.glob("*.html")}
    wanted = ["job_1", "job_2", "cpu_all_jobs", "memory_all_jobs", "summary", "system_timeline", "system_summary"]
    assert names == {f"{database.stem}_{name}.html" for name in wanted}
    assert "drew what was measured: 7 files" in done.err


VISIBLE = """
const boxes = [...document.querySelectorAll(arguments[0])].map(e => e.getBoundingClientRect());
const width = document.documentElement.clientWidth;
return boxes.filter(b => b.width > 0 && b.height > 0 && b.left >= 0 && b.right <= width + 1).length;
"""
OVERLAPS = """
const boxes = [...document.querySelectorAll("svg text")].map(e => [e.textContent, e.getBoundingClientRect()]);
const found = [];
boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
  const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (x > 2 && y > 4) found.push(one + " / " + other);
}));
return found;
"""
OUTSIDE = """
const frame = document.querySelector("svg").getBoundingClientRect();
return [...document.querySelectorAll("svg *:not(title):not(desc):not(style)")].filter(e => {
  const b = e.getBoundingClientRect();
  return b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top - 1 || b.bottom > frame.bottom + 1;
}).map(e => e.outerHTML.slice(0, 100));
"""


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("job_15", 5, "What job <15> used"),  # CPU, memory, processes, read, written
        ("cpu_all_jobs", 16, "CPU of all jobs"),  # 15 jobs, and all together
        ("memory_all_jobs", 16, "Memory of all jobs"),
        ("summary", 0, "What jobs used"),
        ("system_timeline", 2, "What the machine used: wf1"),
        ("system_summary", 0, "What the machine used in all: wf1"),
    ],
)
def test_pages_are_fit_to_be_seen(torc, series, browser, name, lines, words):
    torc("plot-resources", series, "-o", "plots")
    browser.open((torc.path / "plots" / f"{name}.html").as_uri())
    assert browser.complaints() == []
    assert browser.run("return document.querySelector('h1').textContent") == words
    assert browser.run(VISIBLE, "h1, dl, svg") == 3
    assert browser.run(VISIBLE, "path.l") == lines
    assert browser.run(OVERLAPS) == []
    assert browser.run(OUTSIDE) == []


def test_the_table_of_jobs_is_there_for_everybody(torc, series, browser):
    torc("plot-resources", series, "-o", "plots")
    browser.open((torc.path / "plots" / "summary.html").as_uri())
    assert browser.run("return document.querySelectorAll('tbody tr').length") == 16
    assert browser.run(VISIBLE, "tbody td") == 160
    assert browser.run("return document.querySelector('svg').getAttribute('role')") == "img"
