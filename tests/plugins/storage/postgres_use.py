"""Short ways to say what tests of the PostgreSQL storage say often."""

import threading

from torc_core.records.resources import Workflow
from torc_core.testing.storage import column
from torc_plugins.storage.postgresql_storage import PostgresqlStorage


def opened(url, **settings):
    return PostgresqlStorage(url.removeprefix("postgresql:"), **settings)


def names(storage):
    return column(storage, Workflow, "name")


def seen_by_others(postgres_server, url):
    with postgres_server.connect_to(url) as other:
        return [name for (name,) in other.execute("SELECT name FROM workflows ORDER BY id").fetchall()]


def run_under_fire(postgres_server, url, work, workers, made, per_shot):
    """Have threads carry out ``work(worker)`` while the connections to a database are ended again and again.

    There is a shot for every ``per_shot`` entries of the list ``made``, so that a busy machine gets on, too.
    Returns how many connections were ended; whether one of them carried something at that moment is up to chance.
    """
    done, ended = threading.Event(), []

    def fire():
        shots = 0
        while not done.wait(0.001):
            if len(made) >= per_shot * shots:
                ended.append(postgres_server.terminate(url))
                shots += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    shooter = threading.Thread(target=fire)
    for thread in (*threads, shooter):
        thread.start()
    for thread in threads:
        thread.join(120)
    done.set()
    shooter.join(30)
    return sum(ended)
