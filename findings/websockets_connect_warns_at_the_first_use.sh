#!/usr/bin/env bash
# websockets 17.4, its synchronous client: connection = connect(url), without `with`, as its pages had it.
# Guess: that this is deprecated is said where it is done, by `connect`; and where warnings are errors,
# nothing is connected.
# Seen: `connect` connects, and says nothing. The first use of what it returns warns, at the caller's
# `send` or `recv`, once. Where warnings are errors that `send` raises: the message is not sent, the
# server has a client, and the next `send` goes through.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check websockets==17.4
"$folder/venv/bin/python" - <<'PYTHON'
import queue
import threading
import warnings

import websockets
from websockets.sync.client import connect
from websockets.sync.server import serve

heard = queue.Queue()


def hear(connection):
    heard.put("connected")
    for message in connection:
        heard.put(message)


warnings.simplefilter("error")
with serve(hear, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}")
    first = heard.get(timeout=10)
    try:
        connection.send("one")
        raised = None
    except DeprecationWarning as warning:
        raised = str(warning)
    connection.send("two")
    second = heard.get(timeout=10)
    connection.close()
    server.shutdown()
print("websockets", websockets.__version__, (first, raised, second))
assert first == "connected" and second == "two"
assert raised is not None and "context manager" in raised
PYTHON
