"""Chromium without a window and without a network, driven over its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from urllib.parse import urlparse
from urllib.request import urlopen

import websocket

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One page: what it logged, which addresses it asked for, and JavaScript in it."""

    def __init__(self, address):
        self.socket, self.number = websocket.create_connection(address, timeout=240, suppress_origin=True), 0
        self.problems, self.requests = [], []
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """The result of a command of the protocol; events that come in meanwhile are noted."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, event, params):
        if event == "Runtime.exceptionThrown":
            self.problems.append(params["exceptionDetails"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(params["args"])
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            if params["entry"]["source"] != "rendering":  # advice of the graphics driver on speed
                self.problems.append(params["entry"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def run(self, script):
        """The value of a JavaScript expression; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, script, seconds=240):
        """Until the expression is true; returns its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"not within {seconds} s: {script}"
            time.sleep(0.1)
        return value

    def picture(self, path):
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def open(self, address):
        """Load an address afresh and wait until it is there."""
        for url in ("about:blank", address):
            self.call("Page.navigate", url=url)
            self.wait_for(f"location.href.split('#')[0] === {json.dumps(url)} && document.readyState === 'complete'")

    def asked_elsewhere(self):
        """Addresses outside this computer that the page asked for."""
        return [url for url in self.requests if urlparse(url).scheme in ("http", "https", "ws", "wss", "ftp")]


@contextmanager
def chromium(folder, size=(1500, 1000)):
    """A page of a Chromium that can reach no host, with its profile in `folder`."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
    options += [f"--window-size={size[0]},{size[1]}", "--disable-background-networking", "about:blank"]
    process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file, end = folder / "DevToolsActivePort", time.monotonic() + 240
        while not port_file.exists() or not port_file.read_text().strip():
            assert process.poll() is None and time.monotonic() < end, "Chromium did not start"
            time.sleep(0.1)
        port = port_file.read_text().split()[0]
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            page = next(p for p in json.load(answer) if p["type"] == "page")
        yield Page(page["webSocketDebuggerUrl"])
    finally:
        process.terminate()
        process.wait(timeout=30)
