"""What log lines tell of; the words are those of the published table, the harmless lines those that fooled others."""

import pytest

from torc_core.contracts.log_patterns import LogPattern, Severity
from torc_core.diagnosis.log_patterns import Matcher, is_harmless

MATCHER = Matcher()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Expected output files are missing: a.csv", "Missing Output Files"),
        ("ERROR output file validation failed", "Missing Output Files"),
        ("numpy: out of memory", "OOM Killed"),
        ("task hit OOM", "OOM Killed"),
        ("/bin/bash: line 1: 4242 Killed   ./solve", "OOM Killed"),
        ("fork: Cannot allocate memory", "OOM Killed"),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.", "OOM Killed"),
        ("[12.5] oom-kill:constraint=CONSTRAINT_MEMCG", "OOM Killed"),
        ("MemoryError", "OOM Killed"),
        ("operation Timeout", "Timeout"),
        ("reached the TIME LIMIT", "Timeout"),
        ("request timed out after 3 s", "Timeout"),
        ("job exceeded walltime", "Timeout"),
        ("slurmstepd: error: *** JOB 9 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***", "Timeout"),
        ("Segmentation fault (core dumped)", "Segmentation Fault"),
        ("caught SIGSEGV", "Segmentation Fault"),
        ("WARN job failed name='a' return_code=139 reason='killed by SIGSEGV'", "Segmentation Fault"),
        ("WARN job failed name='a' return_code=137 reason='killed by SIGKILL'", "OOM Killed"),
        ("prog[7]: segfault at 0 ip 0", "Segmentation Fault"),
        ("ModuleNotFoundError: No module named 'numpy'", "Missing Module"),
        ("Lmod has detected the following error: The following module(s) are unknown: \"gcc/99\"", "Missing Module"),
        ("ModuleCmd_Load.c(213):ERROR:105: Unable to locate a modulefile for 'x'", "Missing Module"),
        ("./a: error while loading shared libraries: libhdf5.so.103: cannot open", "Missing Module"),
        ("bash: ./run.sh: Permission denied", "Permission Denied"),
        ("ACCESS DENIED", "Permission Denied"),
        ("open: EACCES", "Permission Denied"),
        ("cat: x: No such file or directory", "File Not Found"),
        ("File not found: x", "File Not Found"),
        ("ENOENT", "File Not Found"),
        ("bash: foo: command not found", "Command Not Found"),
        ("write: No space left on device", "Disk Full"),
        ("Disk full", "Disk Full"),
        ("cp: error writing 'x': Disk quota exceeded", "Disk Full"),
        ("ENOSPC", "Disk Full"),
        ("Connection refused", "Connection Error"),
        ("connection reset by peer", "Connection Error"),
        ("Network is unreachable", "Connection Error"),
        ("ECONNREFUSED", "Connection Error"),
        ("thread 'main' panicked at src/main.rs:4:5:", "Rust Panic"),
        ("Traceback (most recent call last):", "Python Exception"),
        ("    raise ValueError('x')", "Python Exception"),
        ("slurmstepd: error: something", "Slurm Error"),
        ("slurm_load_jobs error: Invalid job id specified", "Slurm Error"),
        ("*** STEP 7.0 CANCELLED ***", "Slurm Error"),
        ("srun: error: n1: task 0: Exited with exit code 1", "Slurm Error"),
        ("JobState=NODE_FAIL Reason=None", "Node Failure"),
        ("*** JOB 7 ON n1 CANCELLED DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***", "Node Failure"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "OOM Killed"),
        ("Error in library(x) : there is no package called 'x'", "Missing Module"),
        ("Can't locate Foo/Bar.pm in @INC", "Missing Module"),
        ("write: EDQUOT", "Disk Full"),
        ("FileNotFoundError: [Errno 2] x", "File Not Found"),
        ("ECONNRESET", "Connection Error"),
        ("State=OUT_OF_MEMORY", "OOM Killed"),
        ("node n17 is not responding", "Node Failure"),
        ("slurmd: fatal: x", "Slurm Error"),
        ("scancel: error: x", "Slurm Error"),
        ("an error occurred", "Generic Error"),
        ("2 failed", "Generic Error"),
        ("Failure", "Generic Error"),
        ("unhandled exception", "Generic Error"),
    ],
)  # fmt: skip
def test_a_line_tells_of(line, name):
    assert MATCHER.find(line).name == name


@pytest.mark.parametrize(
    "line",
    [
        "room 12 is free", "the broom and the bloom", "a skilled worker", "INFO timeout=30", "timeout=30",
        "timeout: 30", "running with --timeout 30", "read_timeout 5", "walltime=01:00:00", "walltime: 4h",
        "terror and mirror",
        "0 errors, 0 warnings", "no errors found", "errors: 0", "failed=0", "0 failed", "exception=None",
        "error = false", "2026-01-31 08:00:00,123 INFO solver: connection pool has a timeout",
        "[INFO] 3 failed attempts so far",
        "08:00 worker-3 DEBUG killed the cache", "slurm_account: acme", "time limit: 3 h", "traceback is off",
        "rooms: 4, zoom: 2", "fileinfo: ok", "",
    ],
)  # fmt: skip
def test_a_harmless_line_tells_of_nothing(line):
    assert MATCHER.find(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "Killed", "  Killed  ", "killed", "ERROR=Killed", "08:00:00 Killed", "2026-01-31T08:00:00+0000 Killed",
        "/bin/bash: line 1: 4242 Killed   ./solve", "./run.sh: line 12:  4242 Killed                  python fit.py",
        "run.ksh[3]: 4242 Killed", "[1]+  Killed                  ./solve", "[2]-  4242 Killed   ./solve",
        "zsh: killed     ./solve", "./run.sh: line 3: 4242 Killed: 9               ./solve",
        "make: *** [Makefile:3: all] Killed", "srun: error: n1: task 0: Killed",
        "c++: fatal error: Killed signal terminated program cc1plus",
        "c++: internal compiler error: Killed (program cc1plus)",
        "[7.5] Out of memory: Killed process 4242 (solve) total-vm:9kB, anon-rss:8kB",
        "[7.5] Out of memory: Kill process 4242 (solve) score 900 or sacrifice child",
        "[7.5] Killed process 4242 (solve) total-vm:9kB", "kernel: Killed process 4242, UID 1000, (solve)",
        "[7.5] Memory cgroup out of memory: Killed process 4242 (solve)",
        "[7.5] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null)", "exit status: signal: killed",
        "the solver ended with signal 9 (Killed)", "worker was killed by signal 9", "Killed by signal: 9",
        "child killed by SIGKILL", "the process was killed by the kernel",
        "Some of your processes may have been killed by the cgroup out-of-memory handler.",
        "=>> PBS: job killed: mem 2048kb exceeded limit 1024kb", "Job exceeded its memory limit and was killed",
        "Worker killed: memory limit exceeded", "the task was killed because it used too much memory",
    ],
)  # fmt: skip
def test_the_kernel_and_shells_tell_of_a_lack_of_memory(line):
    assert MATCHER.find(line).name == "OOM Killed"


@pytest.mark.parametrize(
    "line",
    [
        "killed 3 stale workers", "job was killed by user", "job 7 was killed by the user ada", "Killed by user ada",
        "the watchdog killed the server", "3 Killed, 4 running", "killed: 0", "killed=0", "killed by signal 15",
        "killed by SIGTERM", "he killed time until it was over", "worker 4 has been killed and started again",
        "Killed the old session", "memory is fine", "workers killed: 2", "terminated (not killed)",
    ],
)  # fmt: skip
def test_somebody_who_kills_something_tells_nothing_of_memory(line):
    assert MATCHER.find(line) is None


def test_bad_news_counts_although_it_calls_itself_information_but_not_in_our_own_logs():
    line = "2026-01-31T08:00:00+0000 INFO worker: No space left on device"
    assert MATCHER.find(line).name == "Disk Full"
    assert MATCHER.find(line, is_own=True) is None
    assert MATCHER.find("2026-01-31T08:00:00+0000 WARN job failed name='a'", is_own=True).name == "Generic Error"


@pytest.mark.parametrize("name", ["oom", "it's a timeout", 'a "killed" one', "no module named x"])
def test_names_of_jobs_tell_nothing_in_our_own_logs(name):
    lines = [
        f"2026-01-31T08:00:00+0000 WARN job failed name={name!r} workflow_id=1 return_code=1 reason=None",
        f"2026-01-31T08:00:00+0000 WARN job {name!r} failed (return code 4, attempt 1 of 3)",
    ]
    assert [MATCHER.find(line, is_own=True).name for line in lines] == ["Generic Error"] * 2
    line = f"2026-01-31T08:00:00+0000 WARN job failed name={name!r} return_code=139 reason='killed by SIGSEGV'"
    assert MATCHER.find(line, is_own=True).name == "Segmentation Fault"


def test_levels_are_found_at_the_beginning_only():
    assert is_harmless("2026-01-31 08:00 [main] INFO  x")
    assert is_harmless("INFO: x")
    assert not is_harmless("ERROR the level was INFO")
    assert not is_harmless("one two three four five six INFO x")
    assert not is_harmless("INFORMATION")


def test_only_generic_words_are_warnings():
    assert MATCHER.find("error").severity is Severity.WARNING
    assert MATCHER.find("slurmstepd: error: x").severity is Severity.ERROR


def test_patterns_of_plugins_come_first_and_bring_their_advice():
    mine = LogPattern("Licence", r"no licence|error 33", advice="Ask Ada.")
    matcher = Matcher([mine])
    assert matcher.find("Error 33") is mine
    assert matcher.advice["Licence"] == "Ask Ada."
    assert "more memory" in matcher.advice["OOM Killed"]
