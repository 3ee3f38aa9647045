import importlib.metadata
import sys

import pytest

from torc_core.entry_points import EntryPoint, installed


@pytest.mark.parametrize("group", ["console_scripts", "pytest11", "sqlalchemy.dialects"])
def test_what_is_installed_here_is_what_the_standard_library_says(group):
    theirs = {
        (point.name, point.value.partition("[")[0].strip()) for point in importlib.metadata.entry_points(group=group)
    }
    ours = {(point.name, point.target) for point in installed([group], sys.path)}
    assert ours == theirs


def write(folder, name, text):
    (folder / name).mkdir(parents=True)
    (folder / name / "entry_points.txt").write_text(text)


def test_names_versions_groups_extras_and_comments_are_read(tmp_path):
    write(
        tmp_path,
        "torc_pbs-1.2.dist-info",
        "[other]\na = x\n\n# [torc]\n[torc]\n#b=c\npbs = torc_pbs.hooks:Hooks [extra]\n",
    )
    assert installed(["torc"], [str(tmp_path)]) == [
        EntryPoint("torc", "pbs", "torc_pbs.hooks:Hooks", "torc-pbs", "1.2")
    ]


def test_entries_come_by_name_wherever_they_are(tmp_path):
    write(tmp_path / "a", "torc_z-1.dist-info", "[torc]\nb = m\n")
    write(tmp_path / "b", "torc_y-1.dist-info", "[torc.commands]\na = m:c\n")
    points = installed(["torc", "torc.commands"], [str(tmp_path / "a"), str(tmp_path / "b")])
    assert [(point.name, point.group) for point in points] == [("a", "torc.commands"), ("b", "torc")]


def test_the_first_distribution_of_a_name_hides_later_ones_even_without_entries(tmp_path):
    (tmp_path / "first" / "Torc.PBS-2.dist-info").mkdir(parents=True)
    write(tmp_path / "second", "torc_pbs-1.dist-info", "[torc]\npbs = old\n")
    assert installed(["torc"], [str(tmp_path / "first"), str(tmp_path / "second")]) == []


def test_folders_that_cannot_be_read_are_passed_over(tmp_path):
    (tmp_path / "file.zip").write_bytes(b"PK")
    (tmp_path / "bad-1.dist-info").mkdir()
    (tmp_path / "bad-1.dist-info" / "entry_points.txt").write_bytes(b"\xff[torc]\n")
    assert installed(["torc"], [str(tmp_path / "missing"), str(tmp_path / "file.zip"), str(tmp_path)]) == []
