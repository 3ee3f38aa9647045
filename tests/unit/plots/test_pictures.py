"""Pictures of measured series: which there are, that what they show is true, and that they stand for themselves."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from torc_core.plots.job_lines import rates_of, stretches, sum_of
from torc_core.plots.pictures import pictures
from torc_core.plots.series import JobPoint, JobSeries, Metrics, SystemPoint, SystemSeries

SVG = "{http://www.w3.org/2000/svg}"
MIB, GIB = 2**20, 2**30
START = 1_790_000_000.0


def point(second, cpu=50.0, memory=100, processes=1, read=None, written=None, attempt=1):
    return JobPoint(START + second, cpu, memory * MIB, processes, read, written, attempt)


def job(job_id=1, name="one", points=(), **known):
    return JobSeries(job_id, name, list(points), **known)


def system(*points):
    return SystemSeries("wf1_hnode_r1", [SystemPoint(START + s, cpu, gib * GIB, 16 * GIB) for s, cpu, gib in points])


ONE = job(points=[point(0, 10.0, 100), point(10, 400.0, 300), point(20, 100.0, 200)])
TWO = job(2, "two", [point(5, 20.0, 50), point(15, 30.0, 60)])


def by_name(metrics, single=()):
    return {picture.name: picture for picture in pictures(metrics, single)}


def root_of(picture):
    return ET.fromstring(picture.svg())


def texts(root):
    return ["".join(node.itertext()) for node in root.iter() if node.tag in (f"{SVG}text", f"{SVG}title")]


# figures


def test_figures_come_from_the_samples():
    assert ONE.facts() == {
        "job_id": 1, "job_name": "one", "samples": 3, "duration_seconds": 20.0, "peak_cpu_percent": 400.0,
        "avg_cpu_percent": 170.0, "peak_memory_bytes": 300 * MIB, "avg_memory_bytes": 200 * MIB,
    }  # fmt: skip


def test_what_the_runner_found_out_goes_before_means_and_adds_to_peaks():
    known = job(
        points=[point(10, 50.0, 100, read=5, written=6)], start_moment=START, end_moment=START + 30,
        known_peak_cpu=90.0,
        known_avg_cpu=40.0, known_peak_memory=150 * MIB, known_avg_memory=70 * MIB, known_read=9,
    )  # fmt: skip
    assert known.facts() == {
        "job_id": 1, "job_name": "one", "samples": 1, "duration_seconds": 30.0, "peak_cpu_percent": 90.0,
        "avg_cpu_percent": 40.0, "peak_memory_bytes": 150 * MIB, "avg_memory_bytes": 70 * MIB, "read_bytes": 9,
        "write_bytes": 6,
    }  # fmt: skip


def test_a_machine_has_figures():
    assert system((0, 10.0, 2), (10, 50.0, 4)).facts() == {
        "label": "wf1_hnode_r1", "samples": 2, "duration_seconds": 10.0, "peak_cpu_percent": 50.0,
        "avg_cpu_percent": 30.0, "peak_memory_bytes": 4 * GIB, "avg_memory_bytes": 3 * GIB,
        "total_memory_bytes": 16 * GIB,
    }  # fmt: skip


# lines


def test_all_jobs_together_use_what_each_used_last():
    [total] = sum_of([ONE, TWO], START, lambda p: p.cpu_percent)
    assert total == [
        (0.0, 10.0), (5.0, 10.0), (5.0, 30.0), (10.0, 30.0), (10.0, 420.0), (15.0, 420.0),
        (15.0, 400.0),  # two was seen for the last time, and ended as far as anybody knows
        (20.0, 400.0), (20.0, 0.0),
    ]  # fmt: skip


def test_a_job_counts_until_it_ends():
    lasting = TWO._replace(end_moment=START + 40)
    [total] = sum_of([lasting], START, lambda p: p.cpu_percent)
    assert total == [(5.0, 20.0), (15.0, 20.0), (15.0, 30.0), (40.0, 30.0), (40.0, 0.0)]


def test_another_attempt_and_a_long_pause_begin_a_new_stretch():
    points = [point(s) for s in (0, 10, 20, 30, 90, 100)] + [point(s, attempt=2) for s in (110, 120)]
    assert [len(stretch) for stretch in stretches(points)] == [4, 2, 2]
    assert stretches([]) == []


def test_bytes_become_rates_between_samples():
    moving = job(
        points=[point(0, read=0), point(10, read=50), point(20, read=50), point(30, read=None), point(40, read=90)]
    )
    assert rates_of(moving, START, lambda p: p.read_bytes) == [[(10.0, 5.0), (20.0, 0.0)]]
    assert rates_of(ONE, START, lambda p: p.write_bytes) == []


# pictures


def test_there_is_a_picture_of_everything_that_was_measured():
    everything = Metrics([ONE, TWO], [system((0, 1.0, 1), (10, 2.0, 2))])
    assert list(by_name(everything, [ONE, TWO])) == [
        "job_1", "job_2", "cpu_all_jobs", "memory_all_jobs", "summary", "system_timeline", "system_summary",
    ]  # fmt: skip
    assert list(by_name(Metrics([ONE]), [ONE])) == ["job_1", "summary"]
    assert list(by_name(Metrics((), [system((0, 1.0, 1))] * 2))) == [
        "system_timeline_1", "system_summary_1", "system_timeline_2", "system_summary_2",
    ]  # fmt: skip
    assert list(by_name(Metrics())) == ["summary"]


def test_jobs_of_the_same_id_get_pictures_apart():
    same = [job(name="a", points=ONE.points), job(name="b", points=ONE.points)]
    assert list(by_name(Metrics(same), same))[:2] == ["job_1", "job_1_2"]


def test_the_line_of_a_job_goes_through_its_samples():
    root = root_of(by_name(Metrics([ONE]), [ONE])["job_1"])
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")][:3]
    assert [x for x, _ in dots] == [96.0, 636.0, 1176.0]  # the plot is from 96 to 1176 px, and 20 s wide
    heights = [dots[0][1] - y for _, y in dots]
    # 10, 400 and 100 % on a scale to 400 % and 150 px high
    assert heights == pytest.approx([0.0, 390 / 400 * 150, 90 / 400 * 150], abs=0.02)
    assert "CPU, at most 400%" in texts(root)
    assert "one\n400% after 10s" in texts(root)


def test_bytes_are_drawn_only_when_they_are_known():
    moving = job(points=[point(0, read=0, written=0), point(10, read=5 * MIB, written=0)])
    assert "Bytes read and written, at most 512 KiB/s" in " ".join(
        texts(root_of(by_name(Metrics([moving]), [moving])["job_1"]))
    )
    assert "Bytes" not in " ".join(texts(root_of(by_name(Metrics([ONE]), [ONE])["job_1"])))


def test_colours_go_to_those_who_used_most_and_others_are_counted():
    many = [job(n, f"j{n}", [point(0, memory=n), point(10, memory=n)]) for n in range(1, 20)]
    words = texts(root_of(by_name(Metrics(many))["memory_all_jobs"]))
    assert "j19" in words
    assert "7 others" in words  # of 19, 12 have a colour


def test_jobs_that_were_not_sampled_are_in_the_summary_and_counted_elsewhere():
    short = job(3, "short", known_peak_cpu=80.0, start_moment=START, end_moment=START + 0.4)
    made = by_name(Metrics([ONE, short]))
    assert ("Too short to be sampled", "1") in made["cpu_all_jobs"].facts
    assert [entry["job_name"] for entry in made["summary"].data["jobs"]] == ["one", "short"]
    assert "not known" in texts(root_of(made["summary"]))


def test_bars_are_as_long_as_the_peaks():
    half = job(2, "half", [point(0, 0.0, 150), point(10, 0.0, 150)])
    root = root_of(by_name(Metrics([ONE, half]))["summary"])
    widths = [float(r.get("width")) for r in root.iter(f"{SVG}rect") if r.get("class") == "f2"]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)  # 300 and 150 MiB


def test_the_memory_that_there_is_is_marked():
    root = root_of(by_name(Metrics((), [system((0, 1.0, 1), (10, 2.0, 2))]))["system_timeline"])
    [mark] = [p for p in root.iter(f"{SVG}path") if p.get("class") == "cap"]
    top = float(re.match(r"M[\d.]+ ([\d.]+)h", mark.get("d"))[1])
    grid = [
        float(re.match(r"M[\d.]+ ([\d.]+)h", p.get("d"))[1])
        for p in root.iter(f"{SVG}path")
        if p.get("class") == "grid" and "h" in p.get("d")
    ]
    assert top in grid  # 16 GiB is the top of the scale


def test_data_is_what_is_drawn():
    data = json.loads(by_name(Metrics([ONE]), [ONE])["job_1"].written("json"))
    assert data["job_name"] == "one"
    assert data["points"][1] == {
        "timestamp": START + 10, "cpu_percent": 400.0, "memory_bytes": 300 * MIB, "num_processes": 1, "attempt_id": 1,
    }  # fmt: skip
    values = json.loads(by_name(Metrics([ONE, TWO]))["memory_all_jobs"].written("json"))["jobs"][1]["values"]
    assert values == [50 * MIB, 60 * MIB]


@pytest.mark.parametrize("name", ["<b>&\"'", "日本 ünï 🚀", "null\0bell\a", "line\nbreak", "]]>", "\udc80", "x" * 500])
def test_odd_names_keep_pictures_and_pages_well_formed(name):
    odd = [job(1, name, ONE.points), job(2, name + "2", TWO.points)]
    for picture in pictures(Metrics(odd, [SystemSeries(name, system((0, 1.0, 1)).points)]), odd):
        ET.fromstring(picture.svg().encode("utf-8"))
        page = picture.html()
        page.encode("utf-8")
        assert "<b>" not in page.replace("<body>", "")
        json.loads(picture.written("json"))


def test_pictures_and_pages_load_nothing_from_elsewhere():
    for picture in pictures(Metrics([ONE, TWO], [system((0, 1.0, 1), (10, 2.0, 2))]), [ONE]):
        for document in (picture.svg(), picture.html()):
            assert re.findall(r"https?://[^\"']*", document) == ["http://www.w3.org/2000/svg"]
            assert not re.search(r"<script|<link|<img|@import|url\(|\bsrc=|\bhref=", document)
            assert "prefers-color-scheme:dark" in document


def test_one_sample_and_none_can_be_drawn():
    lonely = job(points=[point(0)])
    for picture in pictures(Metrics([lonely], [system((0, 1.0, 1))]), [lonely]):
        root_of(picture)
    never = job(points=[], start_moment=START, end_moment=START)
    for picture in pictures(Metrics([never, lonely]), [never]):
        root_of(picture)


def test_pictures_of_very_many_samples_stay_small():
    big = job(points=[point(n, cpu=n % 97, memory=n % 89 + 1) for n in range(100_000)])
    assert len(by_name(Metrics([big]), [big])["job_1"].html()) < 300_000


def test_pictures_of_very_many_jobs_stay_small():
    many = [job(n, f"job number {n}", [point(n % 100), point(n % 100 + 10)]) for n in range(5000)]
    made = by_name(Metrics(many))
    assert len(made["cpu_all_jobs"].html()) < 500_000
    assert ("Not drawn one by one", "the 4,600 that used least") in made["cpu_all_jobs"].facts
    assert "and 4,000 more" in made["summary"].html()
