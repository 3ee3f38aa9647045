"""The name of a workflow, and then ``name: command`` on a line for each job."""

from typing import Any

from torc_core.contracts.formats import FormatError, ParsedSpec, SpecFormat
from torc_core.errors import Invalid
from torc_core.problems import Path, Problem


class LinesFormat(SpecFormat):
    name = "lines"
    suffixes = (".jobs",)
    codes = {"lines-syntax": 'a line is not "name: command"'}

    def loads(self, text: str) -> ParsedSpec:
        title, *lines = text.splitlines() or [""]
        jobs, places = [], []  # of each job, the place of its command
        for number, line in enumerate(lines, start=2):
            name, colon, command = line.partition(": ")
            if not colon:
                raise FormatError(Problem("lines-syntax", 'expected "name: command"', line=number, column=1))
            jobs.append({"name": name, "command": command})
            places.append((number, len(name) + 3))

        def locate(path: Path) -> tuple[int, int]:
            match path:
                case ("jobs", int(number), "command"):
                    return places[number]
                case ("jobs", int(number), *_):
                    return places[number][0], 1
            return 1, 1

        return ParsedSpec({"name": title, "jobs": jobs}, locate)

    def dumps(self, data: Any) -> str:
        jobs = data.get("jobs", [])
        if set(data) != {"name", "jobs"} or any(set(job) != {"name", "command"} for job in jobs):
            raise Invalid("this format has room for names and commands only", hint="Write it as YAML")
        return "\n".join([data["name"], *(f"{job['name']}: {job['command']}" for job in jobs)]) + "\n"
