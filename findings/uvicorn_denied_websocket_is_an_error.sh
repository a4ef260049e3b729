#!/usr/bin/env bash
# uvicorn 0.54.0, its WebSocket implementation `websockets-sansio`, with starlette 1.10.0.
# Guess: an application that denies a WebSocket with a response of its own (ASGI's extension
# "websocket.http.response") has ended the handshake well: the client gets the response, and the log
# has no error, as with the implementation `wsproto`.
# Seen: the client gets status and body whole either way; with `websockets-sansio` each denial is also
# logged at level ERROR: "ASGI callable returned without completing handshake."
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    uvicorn==0.54.0 starlette==1.10.0 websockets==17.4 wsproto==1.3.2
cat >"$folder/denied.py" <<'PYTHON'
import io
import logging
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
lines = io.StringIO()
logging.basicConfig(stream=lines, level=logging.INFO)


async def deny(websocket):
    await websocket.send_denial_response(PlainTextResponse("no", 403))


def ask(implementation):
    lines.seek(0)
    lines.truncate()
    app = Starlette(routes=[WebSocketRoute("/", deny)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws=implementation, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    answer = b""
    with socket.create_connection(server.servers[0].sockets[0].getsockname()) as client:
        client.settimeout(10)
        client.sendall(REQUEST)
        while not answer.endswith(b"\r\n\r\nno"):
            answer += client.recv(4096) or b"closed"
    server.should_exit = True
    thread.join()
    errors = [line for line in lines.getvalue().splitlines() if line.startswith("ERROR")]
    return answer.split(b" ", 2)[1], errors


found = {each: ask(each) for each in ("wsproto", "websockets-sansio")}
print("uvicorn", uvicorn.__version__, found)
assert found["wsproto"] == (b"403", [])
status, errors = found["websockets-sansio"]
assert status == b"403" and len(errors) == 1 and "without completing handshake" in errors[0]
PYTHON
"$folder/venv/bin/python" "$folder/denied.py"
