"""What a user logs in with stays with the runner; jobs get a token that is good for their workflow only."""

from torc_core.records.answers import JobLaunch
from torc_core.runner.environment import job_environment, run_environment

SECRETS = {"TORC_PASSWORD": "secret", "TORC_TOKEN": "torcw_1_own", "TORC_COOKIE_HEADER": "session=secret"}


def environment(token="", **job_env):
    inherited = {"PATH": "/bin", **SECRETS}
    base, fixed = run_environment(inherited, 7, 1, "out", "/", "http://h:8080/torc-service/v1", token=token)
    job = JobLaunch(id=3, name="j", command="true", attempt_id=1, env=job_env or None)
    return job_environment(base, fixed, job)


def test_jobs_do_not_see_what_the_user_logs_in_with():
    env = environment()
    assert env["PATH"] == "/bin"
    assert not SECRETS.keys() & env.keys()
    assert not set(SECRETS.values()) & set(env.values())


def test_jobs_see_the_server_and_their_token():
    env = environment("torcw_2_jobs")
    assert (env["TORC_API_URL"], env["TORC_TOKEN"]) == ("http://h:8080/torc-service/v1", "torcw_2_jobs")
    assert "TORC_PASSWORD" not in env


def test_a_job_s_own_variables_do_not_replace_the_token():
    assert environment("torcw_2_jobs", TORC_TOKEN="x", OWN="y")["TORC_TOKEN"] == "torcw_2_jobs"
