"""Every example runs to its end, and its numbers agree with a computation of our own."""

import csv
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SPECS = EXAMPLES / "specs"
TORC = Path(sys.executable).with_name("torc")
FORMATS = ("yaml", "json", "json5", "kdl")
TESTED = {
    "text_statistics", "iris_statistics", "planets", "priorities", "model_sweep", "diamond", "integrals", "primes",
    "user_data", "letters",
}  # fmt: skip


def shipped():
    return sorted(path for path in SPECS.rglob("*") if path.suffix.lstrip(".") in FORMATS)


def clean_environment(home):
    """The machine's own settings must not count; ``python3`` and ``torc`` in jobs are those of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TORC_") and name != "RUST_LOG"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "TMPDIR": str(home)}


class Folder:
    """A copy of the examples, and what ran there."""

    def __init__(self, path):
        self.path = path / "here"
        self.env = clean_environment(path)
        self.path.mkdir()
        for name in ("data", "specs"):
            shutil.copytree(EXAMPLES / name, self.path / name)

    def torc(self, *words):
        done = subprocess.run([TORC, *words], cwd=self.path, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, *words):
        return json.loads(self.torc("-f", "json", *words))

    def run(self, spec, jobs, *options):
        told = self.ask("run", f"specs/{spec}", "--fail-on-job-failure", "--num-cpus", "2", *options)
        assert (told["completed"], told["failed"], told["is_complete"]) == (jobs, 0, True)

    def read(self, name):
        return (self.path / "output" / name).read_text()

    def rows(self, name):
        return [line.split("\t") for line in self.read(name).splitlines()]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def measurements():
    with open(EXAMPLES / "data" / "iris.csv", newline="") as file:
        return list(csv.DictReader(file))


def poems():
    return {path.stem: path.read_text() for path in (EXAMPLES / "data" / "texts").glob("*.txt")}


# what is shipped


def test_every_example_is_tested_here():
    assert {path.stem for path in shipped()} == TESTED


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_two_examples_of_its_own_folder(name):
    assert len(list((SPECS / name).glob(f"*.{name}"))) >= 2


@pytest.mark.parametrize("spec", shipped(), ids=lambda path: path.name)
def test_every_example_says_how_to_run_it_and_has_no_problem(spec, folder):
    text = spec.read_text()
    if spec.suffix == ".json":  # JSON has no comments
        assert re.search("Run it .*xpect", json.loads(text)["description"])
    else:
        lines = text.splitlines()
        header = lines[: next(i for i, line in enumerate(lines) if not line.startswith(("#", "//")))]
        command = f"torc run specs/{spec.relative_to(SPECS)}"
        assert any(command in line for line in header)
        assert any("Expect: " in line for line in header)
    told = folder.ask("spec", "check", f"specs/{spec.relative_to(SPECS)}")
    assert (told["valid"], told["errors"], told["warnings"]) == (True, [], [])


@pytest.mark.parametrize("name", ["json", "json5", "kdl"])
def test_the_four_forms_of_one_example_are_what_convert_makes(name, folder):
    converted = folder.torc("spec", "convert", "specs/yaml/text_statistics.yaml", "--to", name)
    lines = (SPECS / name / f"text_statistics.{name}").read_text().splitlines(keepends=True)
    assert converted == "".join(line for line in lines if not line.startswith("//"))


# texts


def words_of(text):
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


@pytest.mark.parametrize("name", FORMATS)
def test_text_statistics_count_what_is_in_the_poems(name, folder):
    folder.run(f"{name}/text_statistics.{name}", 2 * 12 + 1 + 4 + 1)
    words = {poem: words_of(text) for poem, text in poems().items()}
    assert len(words) == 12
    everything = Counter(word for found in words.values() for word in found)
    in_poems = Counter(word for found in words.values() for word in set(found))
    assert folder.rows("text/words.tsv") == [[w, str(n), str(in_poems[w])] for w, n in sorted(everything.items())]

    report = folder.read("text/report.txt").splitlines()
    authors = dict(line.split(",")[:2] for line in (EXAMPLES / "data" / "texts.csv").read_text().splitlines()[1:])
    for poem, found in sorted(words.items()):
        lines = sum(1 for line in poems()[poem].splitlines() if line)
        letters = sum(len(word.replace("'", "")) for word in found) / len(found)
        longest = min(found, key=lambda word: (-len(word), word))
        [line] = [line for line in report if line.startswith(f"{poem} ")]
        [shown] = re.findall(rf"{poem} +{authors[poem]} +(\d+) +(\d+) +(\d+) +(\S+) +(\S+)$", line)
        assert shown == (str(lines), str(len(found)), str(len(set(found))), f"{letters:.2f}", longest)
    assert f"{sum(everything.values())} words, {len(everything)} of them distinct" in report
    long = sorted((-count, word) for word, count in everything.items() if len(word) >= 5)[:8]
    shown = [line.split() for line in report if " times in " in line]
    assert shown == [f"{-n} times in {in_poems[word]} poems {word}".split() for n, word in long]


def test_the_concordance_has_every_line_with_the_word_and_no_other(folder):
    folder.run("yaml/text_statistics.yaml", 30)
    for keyword in ("eye", "love", "time", "thee"):
        expected = {
            (f"{poem}:{number}", line)
            for poem, text in poems().items()
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(rf"\b{keyword}\b", line, re.IGNORECASE)
        }
        lines = folder.read(f"text/concordance/{keyword}.txt").splitlines()
        assert {tuple(line.split(None, 1)) for line in lines} == expected
        assert len(lines) == len(expected)


def test_the_demo_leaves_the_report_it_shows(tmp_path):
    demo = EXAMPLES / "demo.sh"
    done = subprocess.run(["sh", demo], env=clean_environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [place] = re.findall(r"The whole report: +(\S+)", done.stdout)
    assert Path(place).is_relative_to(tmp_path)
    assert Path(place).read_text().splitlines()[:20] == done.stdout.split("report.txt\n", 1)[1].splitlines()[:20]
    assert "completed:      30" in done.stdout


def test_the_demo_without_torc_says_what_to_do(tmp_path):
    env = {**clean_environment(tmp_path), "PATH": str(tmp_path)}
    (tmp_path / "dirname").symlink_to(shutil.which("dirname"))
    done = subprocess.run([shutil.which("sh"), EXAMPLES / "demo.sh"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "torc is not in PATH; try: make demo\n")


# tables


def test_iris_statistics_are_those_of_the_measurements(folder):
    folder.run("json/iris_statistics.json", 3 + 3 * 4 + 1)
    table = list(csv.DictReader(folder.read("iris/table.csv").splitlines()))
    assert len(table) == 12
    for row in table:
        values = [float(flower[row["measurement"]]) for flower in measurements() if flower["species"] == row["species"]]
        mean = math.fsum(values) / len(values)
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
        assert int(row["n"]) == len(values) == 50
        assert float(row["mean"]) == pytest.approx(mean, abs=5.1e-5)
        assert float(row["sd"]) == pytest.approx(sd, abs=5.1e-5)
        assert (float(row["min"]), float(row["max"])) == (min(values), max(values))
    assert len({(row["species"], row["measurement"]) for row in table}) == 12


def test_planets_follow_kepler(folder):
    folder.run("json/planets.json", 8 + 1)
    rows = folder.rows("planets/kepler.tsv")
    order = ["mercury", "venus", "earth", "mars", "jupiter", "saturn", "uranus", "neptune"]
    assert [row[0] for row in rows] == order
    assert [float(row[3]) for row in rows] == pytest.approx([1] * 8, abs=0.002)
    assert rows[4][1:3] == ["5.202887", "11.862615"]
    assert float(rows[7][3]) == pytest.approx(164.79132**2 / 30.06992276**3, abs=5.1e-5)


def test_integrals_have_their_known_values(folder):
    folder.run("kdl/integrals.kdl", 6 + 1)
    known = {
        "sine": 2, "exponential": math.e - 1, "square": 9, "logistic": 1, "disk": math.pi / 4,
        "bell": math.sqrt(math.pi),
    }  # fmt: skip
    assert {name: float(value) for name, value in folder.rows("integrals/table.tsv")} == pytest.approx(known, abs=2e-6)


def test_a_diamond_gives_the_entropy_of_letters(folder):
    folder.run("kdl/diamond.kdl", 4)
    letters = re.sub("[^a-z]+", "_", "".join(text for _, text in sorted(poems().items())).lower())
    alone = entropy(Counter(letters))
    pairs = entropy(Counter(pairwise(letters)))
    shown = [float(line.split()[-2]) for line in folder.read("entropy/report.txt").splitlines()]
    assert shown == pytest.approx([alone, pairs - alone], abs=1e-3)  # the first letter has none before it
    assert 0 < shown[1] < shown[0] < math.log2(27)


def entropy(counts):
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values())


# many jobs, and which goes first


def test_a_thousand_jobs_find_every_prime_below_a_million(folder):
    folder.run("yaml/primes.yaml", 1001)
    assert folder.read("primes/total.txt") == "78498\n"
    sieve = bytearray([0, 0]) + bytearray([1]) * 999_998
    for n in range(2, 1000):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, 1_000_000, n)))
    counts = sorted((folder.path / "output/primes/counts").iterdir())
    assert [int(path.read_text()) for path in counts] == [sum(sieve[k : k + 1000]) for k in range(0, 1_000_000, 1000)]


def test_the_longest_collatz_chain_is_found_within_the_limits_and_with_priority(folder):
    folder.run("json5/priorities.json5", 9)
    lengths = chain_lengths(200_000)
    best = max(lengths, key=lambda n: (lengths[n], -n))
    assert folder.read("collatz/longest.txt") == f"{best} has a chain of {lengths[best]} numbers\n"
    assert (best, lengths[best]) == (156_159, 383)
    counts = Counter(length for n, length in lengths.items() if n <= 50_000)
    assert folder.read("collatz/lengths.txt") == "".join(f"{k} {n}\n" for k, n in sorted(counts.items()))

    jobs = folder.ask("jobs", "list")["items"]
    names = {job["id"]: job["name"] for job in jobs}
    begun = {job["name"]: job["start_time"] for job in jobs}
    ended = {names[result["job_id"]]: result["completion_time"] for result in folder.ask("results", "list")["items"]}
    order = sorted(begun, key=begun.get)
    assert {*order[:2]} == {"wide_0", "wide_50000"}
    assert order[-1] == "longest"
    for moment in begun.values():
        running = [name for name in order if begun[name] <= moment < ended[name]]
        assert sum(2 if name == "lengths" else 1 for name in running) <= 2, running


def chain_lengths(limit):
    """Return how many numbers there are from each number up to ``limit`` down to 1, by Collatz's rule."""
    lengths = {1: 1}
    for n in range(2, limit + 1):
        path, at = [], n
        while at not in lengths:
            path.append(at)
            at = 3 * at + 1 if at % 2 else at // 2
        for steps, passed in enumerate(reversed(path), 1):
            lengths[passed] = lengths[at] + steps
    return {n: lengths[n] for n in range(1, limit + 1)}


# data between jobs


def test_user_data_carry_the_fitted_lines(folder):
    folder.run("yaml/user_data.yaml", 4)
    data = {record["name"]: record["data"] for record in folder.ask("user-data", "list")["items"]}
    slopes = {}
    for species in ("setosa", "versicolor", "virginica"):
        flowers = [flower for flower in measurements() if flower["species"] == species]
        xs = [float(flower["petal_length"]) for flower in flowers]
        ys = [float(flower["petal_width"]) for flower in flowers]
        n, sx, sy = len(xs), math.fsum(xs), math.fsum(ys)
        xy = math.fsum(x * y for x, y in zip(xs, ys, strict=True)) - sx * sy / n
        xx, yy = math.fsum(x * x for x in xs) - sx * sx / n, math.fsum(y * y for y in ys) - sy * sy / n
        slopes[species] = xy / xx
        expected = {"slope": xy / xx, "intercept": (sy - sx * xy / xx) / n, "r": xy / math.sqrt(xx * yy)}
        assert data[f"line_{species}"] == pytest.approx(expected, abs=5.1e-5)
    assert data["steepest"] == f"line_{max(slopes, key=slopes.get)}"


def test_the_model_sweep_finds_the_best_classifier_of_each_data_set(folder):
    if find_spec("sklearn") is None:
        assert not os.environ.get("CI"), "CI must install the extra 'examples' (scikit-learn)"
        pytest.skip("scikit-learn is not installed (extra 'examples')")
    folder.run("json5/model_sweep.json5", 3 * 3 * 2 + 3 + 1)
    best = {row["data"]: row for row in json.loads(folder.read("models/best.json"))}
    scores = [json.loads(path.read_text()) for path in (folder.path / "output/models").glob("*_*_*.json")]
    assert len(scores) == 18
    for data in ("digits", "iris", "wine"):
        ours = [score["accuracy"] for score in scores if score["data"] == data]
        assert len(ours) == 6
        assert best[data]["accuracy"] == max(ours) > 0.9
    [nearest] = [score for score in scores if (score["data"], score["model"], score["value"]) == ("iris", "knn", 1)]
    assert nearest["accuracy"] == pytest.approx(nearest_neighbour_accuracy(), abs=1e-6)


def nearest_neighbour_accuracy():
    """Accuracy of one nearest neighbour on iris; five folds of ten flowers a species, scaled by the other four."""
    flowers = [[float(value) for name, value in row.items() if name != "species"] for row in measurements()]
    species = [row["species"] for row in measurements()]
    right = 0
    for fold in range(5):
        tested = [i for i in range(150) if i % 50 // 10 == fold]
        known = [i for i in range(150) if i % 50 // 10 != fold]
        means = [math.fsum(flowers[i][c] for i in known) / 120 for c in range(4)]
        scales = [math.sqrt(math.fsum((flowers[i][c] - means[c]) ** 2 for i in known) / 120) for c in range(4)]
        scaled = [[(x - m) / s for x, m, s in zip(flower, means, scales, strict=True)] for flower in flowers]
        for i in tested:
            nearest = min(known, key=lambda k, i=i, scaled=scaled: math.dist(scaled[i], scaled[k]))
            right += species[nearest] == species[i]
    return right / 150


def test_actions_prepare_check_and_pack_the_ranking_of_letters(folder):
    folder.run("yaml/letters.yaml", 13)
    texts = {name: (EXAMPLES / f"data/texts/{name}.txt").read_bytes() for name in poems()}
    counts = Counter(chr(byte).lower() for text in texts.values() for byte in text if chr(byte).isascii()
                     and chr(byte).isalpha())  # fmt: skip
    with tarfile.open(folder.path / "output/letters.tar.gz") as packed:
        read = {name: packed.extractfile(f"letters/{name}").read().decode()
                for name in ("ranking.tsv", "total.txt", "inputs.sha256")}  # fmt: skip
        assert len([name for name in packed.getnames() if name.startswith("letters/counts/")]) == len(texts) == 12
    ranked = sorted(((letter, counts[letter]) for letter in "abcdefghijklmnopqrstuvwxyz"), key=lambda x: (-x[1], x[0]))
    assert read["ranking.tsv"] == "".join(f"{letter}\t{count}\n" for letter, count in ranked)
    assert int(read["total.txt"]) == counts.total()
    sums = {f"data/texts/{name}.txt": hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    assert {file: digest for digest, file in map(str.split, read["inputs.sha256"].splitlines())} == sums
    assert not (folder.path / "output/letters").exists()
    ends = [(r["attempt_id"], r["return_code"]) for r in folder.ask("results", "list", "1", "--all-runs")["items"]
            if r["job_name"] == "rank"]  # fmt: skip
    assert sorted(ends) == [(1, 4), (2, 0)]
    runs = folder.ask("workflows", "action-runs", "1")["items"]
    assert [(run["attempt_id"], run["status"], run["done"]) for run in runs] == [
        (1, "completed", 1), (1, "completed", 1), (1, "completed", 2),
    ]  # fmt: skip
