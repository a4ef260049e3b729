"""A real browser that tests drive: pages are opened, asked, clicked and photographed.

It speaks the DevTools protocol to headless Chromium over one WebSocket; see
https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

SECONDS_TO_START, SECONDS_TO_SEE = 60.0, 45.0


# An element is there, and has no value that could be sent.
_SEEN = """(look) => {
    try { const found = look(); return found instanceof Node ? true : found } catch { return null }
}"""


class PageError(AssertionError):
    """A script on a page failed, or what was waited for did not come."""


class BrowserPage:
    """A tab. `console` has what its scripts complained of."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.console: list[str] = []
        self._loaders: set[str] = set()
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what the browser answers; what happens meanwhile is noted."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=SECONDS_TO_START))
            self._note(message)
            if message.get("id") == number:
                if "error" in message:
                    raise PageError(f"{method}: {message['error']}")
                found: dict[str, Any] = message["result"]
                return found

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Page.frameNavigated":
            self._loaders.add(message["params"]["frame"]["loaderId"])
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            text = details.get("exception", {}).get("description", details["text"])
            self.console.append(text)
        if message.get("method") == "Runtime.consoleAPICalled":
            said = message["params"]
            if said["type"] in {"error", "assert"}:
                self.console.append(
                    " ".join(
                        str(each.get("value", each.get("description"))) for each in said["args"]
                    )
                )

    def open(self, url: str) -> None:
        """Go to an address; the page there may still load."""
        loader = self.call("Page.navigate", url=url).get("loaderId")
        # Sent before that, another address is lost.
        while loader is not None and loader not in self._loaders:
            self._note(json.loads(self._socket.recv(timeout=SECONDS_TO_START)))

    def ask(self, script: str) -> Any:
        """Return what an expression is, or its promise comes to."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def see(self, script: str, seconds: float = SECONDS_TO_SEE) -> Any:
        """Return what an expression is once that is true, or more than nothing."""
        until = time.monotonic() + seconds
        found: Any = None
        while time.monotonic() < until:
            try:
                found = self.ask(f"({_SEEN})(() => {script})")
            except PageError:
                # The page changes just now.
                found = None
            if found:
                return found
            time.sleep(0.02)
        raise PageError(f"not seen in {seconds:g} s: {script}; console: {self.console}")

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press a key, such as Enter."""
        code = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "Tab": 9}.get(key, 0)
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def click(self, x: float, y: float) -> None:
        """Click at a place of the page."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def resize(self, width: int, height: int, scale: float = 1.0) -> None:
        """Make the window so many pixels large."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def picture(self, path: Path) -> None:
        """Write a picture of what is seen."""
        found = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[BrowserPage]:
    """Give a tab of a new browser, which ends with it; skip the test where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: no browser to open pages with")
    profile = folder / "profile"
    command = [
        *(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-extensions", "--mute-audio"),
        *("--remote-debugging-port=0", "--remote-allow-origins=*", "--hide-scrollbars"),
        *(f"--user-data-dir={profile}", "--window-size=1280,800", "about:blank"),
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as browser:
        try:
            address = _address(profile / "DevToolsActivePort", browser)
            with connect(address, max_size=2**26) as socket:
                yield BrowserPage(socket)
        finally:
            browser.kill()


def _address(file: Path, browser: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and browser.poll() is None:
        lines = file.read_text("ascii").split() if file.exists() else []
        if len(lines) == 2:
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                for each in json.load(answer):
                    if each["type"] == "page":
                        return str(each["webSocketDebuggerUrl"])
        time.sleep(0.02)
    raise PageError("the browser did not start")
