"""The name of a workflow, and then ``name: command`` on a line for each job."""

from torc_core.contracts.formats import FormatError, ParsedSpec, SpecFormat
from torc_core.errors import Invalid
from torc_core.problems import Problem


class LinesFormat(SpecFormat):
    name = "lines"
    suffixes = (".jobs",)
    codes = {"lines-syntax": 'a line is not "name: command"'}

    def loads(self, text):
        title, *lines = text.splitlines() or [""]
        jobs, places = [], []
        for number, line in enumerate(lines, start=2):
            name, colon, command = line.partition(": ")
            if not colon:
                raise FormatError(Problem("lines-syntax", 'expected "name: command"', line=number, column=1))
            jobs.append({"name": name, "command": command})
            places.append((number, len(name) + 3))

        def locate(path):
            if path[:1] != ("jobs",) or len(path) < 2:
                return 1, 1
            line, command = places[path[1]]
            return line, command if path[2:] == ("command",) else 1

        return ParsedSpec({"name": title, "jobs": jobs}, locate)

    def dumps(self, data):
        jobs = data.get("jobs", [])
        if set(data) != {"name", "jobs"} or any(set(job) != {"name", "command"} for job in jobs):
            raise Invalid("this format has room for names and commands only", hint="Write it as YAML")
        return "\n".join([data["name"], *(f"{job['name']}: {job['command']}" for job in jobs)]) + "\n"
