"""A process that serves S3's protocol on loopback, from memory, with one bucket.

It is a process of its own, because deltalake holds the interpreter's lock while it waits for some
of its requests, and would wait for itself. It writes its URL, and lives until its input ends.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any
from urllib.request import Request, urlopen

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "candles"


class OneAtATime:
    """An application whose requests wait for each other: moto's "put if absent" is not atomic."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environment: Any, start: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environment, start))


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with urlopen(Request(f"{url}/{BUCKET}", method="PUT")):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
