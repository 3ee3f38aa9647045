"""Common failures as log files tell them. The first pattern that a line has counts, so the special ones stand first."""

from __future__ import annotations

import re
from collections.abc import Iterable

from torc_core.contracts.log_patterns import LogPattern, Severity

LONGEST = 120
"""Characters of a line that reports show."""
_NO_VALUE = r"(?!\s*[:=]|\w)"
_LOUD = r"(?!\W*(?:ERROR|WARN|WARNING|FATAL|CRITICAL|SEVERE)\b)"
_HARMLESS_LEVEL = re.compile(rf"^(?:{_LOUD}(?:\[[^\]]*\]|\S+)\s+){{0,4}}?\W{{0,3}}(?:INFO|DEBUG|TRACE)\b")
"""A level among the first words of a line, after a moment, a name, a process."""
_KILLED = "|".join(
    (
        r"^\W*killed\W*$",  # dash, and whoever repeats only that
        r"""(?-i:(?:[\]\)}:=>*'"]|:\d\d\S*)\s*Killed\W*$)""",  # srun and make, behind a place or a moment
        r"(?-i:(?:\bline \d+|\[\d+\]):\s+\d+ Killed\b)",  # scripts of bash and ksh
        r"(?-i:^\[\d+\][-+ ]*(?:\d+ )?Killed\b)",  # jobs of a shell
        r"\bzsh(?::\d+)?: killed\b",
        r"\bkilled process \d+(?: \(|, UID)",  # the kernel
        r"\bkilled by (?:the )?(?:kernel\b|SIGKILL\b|signal:? ?(?:9|kill|SIGKILL)\b)",
        r"\bsignal:? (?:9 )?\(?killed\b|\bkilled: 9\b",
        r"(?-i:\bKilled (?:\(program |signal terminated ))",  # compilers of their parts
        r"\bkilled\b.{0,60}\bv?mem(?:ory)?\b",
        r"\bv?mem(?:ory)?\b.{0,60}\bexceed.{0,60}\bkilled\b|\bexceed.{0,60}\bv?mem(?:ory)?\b.{0,60}\bkilled\b",
    )
)
"""What says that SIGKILL ended a process, or that memory was why. People and programs kill for other reasons, too."""
_JOB_NAME = re.compile(r"""\b(?:name=|job )(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
"""A name as our own logs write it: what somebody has called a job tells nothing of how it ended."""

PATTERNS = (
    LogPattern(
        "Missing Output Files",
        r"expected output files are missing|output file validation failed|output files? (?:is|are) missing",
        advice="Check the paths of the job's output_files against what its command writes.",
    ),
    LogPattern(
        "Node Failure",
        r"\bnode[_ ]fail(?:ed|ure)?\b|\bnode \S+ (?:is )?(?:not responding|down)\b",
        advice="Nothing is wrong with the job: run it again (torc recover retries what was lost).",
    ),
    LogPattern(
        "OOM Killed",
        r"\bout[- _]of[- _]memory\b|\boom\b|\boom[-_]kill\w*|\bcannot allocate memory\b|\bstd::bad_alloc\b"
        r"|\bMemoryError\b",
        advice="Ask for more memory: torc recover proposes how much.",
    ),
    LogPattern(
        "OOM Killed",
        _KILLED,
        advice="Ask for more memory: torc recover proposes how much.",
        counts_in_info=False,
    ),
    LogPattern(
        "Timeout",
        rf"(?<![-\w])timeout{_NO_VALUE}|\btime limit{_NO_VALUE}|\btimed out\b|(?<![-\w])walltime{_NO_VALUE}",
        advice="Ask for more run time: torc recover proposes how much.",
        counts_in_info=False,
    ),
    LogPattern(
        "Segmentation Fault",
        r"\bsegmentation (?:fault|violation)\b|\bsegfault\b|\bsigsegv\b",
        advice="A defect of the program, or of a library that is not the one it was built with.",
    ),
    LogPattern(
        "Missing Module",
        r"\bModuleNotFoundError\b|\bno module named\b|\bunable to locate a modulefile\b"
        r"|\bmodule\(?s?\)? (?:is|are) unknown\b|\berror while loading shared libraries\b"
        r"|\bthere is no package called\b|\bcan't locate \S+\.pm\b",
        advice="Load it or activate the environment in the job's invocation_script or command.",
    ),
    LogPattern(
        "Disk Full",
        r"\bno space left\b|\bdisk full\b|\bquota exceeded\b|\bENOSPC\b|\bEDQUOT\b",
        advice="Make room or raise the quota (df, quota), then run the job again.",
    ),
    LogPattern(
        "Permission Denied",
        r"\bpermission denied\b|\baccess denied\b|\bEACCES\b",
        advice="Check who owns the files, and whether scripts may be executed (chmod +x).",
    ),
    LogPattern("Command Not Found", r"\bcommand not found\b", advice="Check PATH, or load the module that has it."),
    LogPattern(
        "File Not Found",
        r"\bno such file\b|\bfile not found\b|\bFileNotFoundError\b|\bENOENT\b",
        advice="Relative paths start in the folder where the runner was started.",
    ),
    LogPattern(
        "Connection Error",
        r"\bconnection (?:was )?(?:refused|reset)\b|\bnetwork (?:is )?unreachable\b|\bECONNREFUSED\b|\bECONNRESET\b",
        advice="Check that the service can be reached from the machine that the job ran on.",
    ),
    LogPattern("Rust Panic", r"\bthread '[^']*' (?:\(\d+\) )?panicked at\b", is_case_sensitive=True),
    LogPattern(
        "Python Exception",
        r"^Traceback \(most recent call last\)|\braise [A-Z]\w*(?:Error|Exception)\b",
        is_case_sensitive=True,
    ),
    LogPattern(
        "Slurm Error",
        r"\bslurmstepd\b|\b(?:srun|sbatch|scancel|slurmd): (?:error|fatal)"
        r"|\bslurm_\w+(?:\(\))?:? (?:error|failed|unable)|(?-i:\bCANCELLED\b|\bTIMEOUT\b|\bOUT_OF_MEMORY\b)",
        advice="Ask Slurm about the allocation: sacct -j ID.",
    ),
    LogPattern(
        "Generic Error",
        r"(?<!\b0 )(?<!\bno )\b(?:errors?|failed|failures?|exception)\b(?!\s*[:=]\s*(?:0|none|null|false)\b)",
        Severity.WARNING,
        counts_in_info=False,
    ),
)
"""Names, words and severities follow the published table; see there for what each is about."""


_HINTS = (
    "output file", "node", "memory", "oom", "bad_alloc", "killed", "timeout", "time limit", "timed out", "walltime",
    "segmentation", "segfault", "sigsegv", "modulenotfound", "no module named", "modulefile", "unknown",
    "shared libraries", "no package called", "can't locate", "no space left", "disk full", "quota exceeded", "enospc",
    "edquot", "denied", "eacces", "not found", "no such file", "filenotfound", "enoent", "connection", "network",
    "econn", "panicked", "traceback", "raise ", "slurm", "srun", "sbatch", "scancel", "cancelled", "error", "fail",
    "exception",
)  # fmt: skip
"""Every line that one of our patterns matches has one of these in lower case; looking for them is much faster."""
_Compiled = tuple[re.Pattern[str], LogPattern]


class Matcher:
    """Judges lines. Patterns of plugins come before ours, since they know their site."""

    def __init__(self, more: Iterable[LogPattern] = ()) -> None:
        """Raises ``re.error`` for a pattern that is none."""
        self._more, self._ours = _compiled(more), _compiled(PATTERNS)
        patterns = [pattern for _, pattern in (*self._more, *self._ours)]
        self.advice = {pattern.name: pattern.advice for pattern in reversed(patterns) if pattern.advice}

    def find(self, line: str, *, is_own: bool = False) -> LogPattern | None:
        """Return what a line tells of; ``is_own`` says that it is of a log that torc writes about its own work."""
        if is_own:
            line = _JOB_NAME.sub("", line)
        candidates = self._candidates(line)
        found = next((p for expression, p in candidates if expression.search(line)), None)
        if found is None or not is_harmless(line):
            return found
        if is_own:
            return None
        return next((p for expression, p in candidates if p.counts_in_info and expression.search(line)), None)

    def _candidates(self, line: str) -> list[_Compiled]:
        """Return the patterns that may match a line."""
        if any(map(line.lower().__contains__, _HINTS)):
            return [*self._more, *self._ours]
        return self._more


def _compiled(patterns: Iterable[LogPattern]) -> list[_Compiled]:
    return [(re.compile(p.regex, 0 if p.is_case_sensitive else re.IGNORECASE), p) for p in patterns]


def is_harmless(line: str) -> bool:
    """Whether a line calls itself information or less."""
    return _HARMLESS_LEVEL.match(line) is not None
