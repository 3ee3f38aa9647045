"""A web server inside of the test, where its limits can be small."""

import contextlib
import threading

from torc_core.service.local import LocalService
from torc_plugins.storage.memory_storage import MemoryStorage
from torc_server.app import build_app
from torc_server.web import Limits, WebServer


@contextlib.contextmanager
def serving(threads=8, ssl_adapter=None, **limits):
    """Give a server and its service."""
    service = LocalService(MemoryStorage(""))
    web = WebServer(
        ("127.0.0.1", 0), build_app(service), service.owner, threads=threads, limits=Limits(**limits),
        ssl_adapter=ssl_adapter,
    )  # fmt: skip
    web.prepare()
    thread = threading.Thread(target=web.serve)
    thread.start()
    try:
        yield web, service
    finally:
        web.stop()
        thread.join()
        service.close()
