"""A real browser for tests: headless Chromium, driven over its DevTools protocol.

The protocol is JSON over one WebSocket, and `websockets` is installed with the services, so no
library of a browser's own is needed. What a test does goes in as input events (a mouse, keys), not
as calls of the page's functions.
"""

import collections
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
)
ANSWER_S = 20.0
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40, "ArrowUp": 38, "End": 35, "Home": 36}


def find_chromium() -> str | None:
    """Path of a Chromium, None where there is none; `CHROMIUM` names another."""
    return next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)


class PageError(AssertionError):
    """The page threw, or it does not have what was asked of it."""


class Page:
    """One tab.

    Attributes:
        errors: exceptions and errors of the console, as they came.
        told: is called with what scripts tell by a binding.
    """

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: list[str] = []
        self.told: Callable[[str], None] = lambda _: None

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the protocol and wait for its answer."""
        return self._browser.call(method, params, session=self._session)

    def open(self, url: str) -> None:
        """Load a page and wait until it and its scripts are done."""
        self.call("Page.navigate", url="about:blank")
        self.wait("document.readyState === 'complete' && location.href === 'about:blank'")
        self.errors.clear()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def read(self, expression: str) -> Any:
        """Value of a JavaScript expression; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise PageError(f"{expression}: {_told(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait for a condition, looking at every frame that the page draws."""
        look = f"() => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }}"
        soon = f"setTimeout(() => no(new Error('never came true')), {1000 * ANSWER_S / 2})"
        self.read(
            f"new Promise((ok, no) => {{ {soon}; const is = {look};"
            " const see = () => is() ? ok(true) : requestAnimationFrame(see); see(); })"
        )

    def text(self, selector: str) -> str:
        """Text of an element as the reader sees it."""
        return str(self.read(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """Texts of all elements that match."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        return [str(text) for text in self.read(f"{found}.map((one) => one.innerText.trim())")]

    def place(self, selector: str, *, across: float = 0.5, down: float = 0.5) -> dict[str, float]:
        """Scroll to an element; say where a share of its width and height is on the screen."""
        box = self.read(
            f"""(() => {{
              const one = document.querySelector({json.dumps(selector)});
              one.scrollIntoView({{ block: "center", behavior: "instant" }});
              const {{ x, y, width, height }} = one.getBoundingClientRect();
              return {{ x, y, width, height }};
            }})()"""
        )
        if not box["width"] or not box["height"]:
            raise PageError(f"{selector} is not to be seen")
        return {"x": box["x"] + across * box["width"], "y": box["y"] + down * box["height"]}

    def point(self, selector: str, *, across: float = 0.5, down: float = 0.5) -> None:
        """Move the mouse over an element."""
        at = self.place(selector, across=across, down=down)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        at = self.place(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys, one after the other, whoever has the focus."""
        for key in keys:
            code = KEYS[key]
            event: dict[str, Any] = {
                "key": key,
                "code": "Space" if key == " " else key,
                "windowsVirtualKeyCode": code,
                "modifiers": 8 if shift else 0,
            }
            text = {"Enter": "\r", " ": " "}.get(key)
            typed = {"text": text} if text else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **event, **typed)
            self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def focus(self, selector: str) -> None:
        """Give an element the focus, as the Tab key would."""
        self.read(f"document.querySelector({json.dumps(selector)}).focus()")

    def prefer(self, scheme: str) -> None:
        """Pretend that the system is `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def resize(self, width: int, height: int) -> None:
        """Give the page another screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def save_files_in(self, folder: Path) -> None:
        """Save what the browser downloads there, without asking."""
        self._browser.call(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
        )

    def heard(self, method: str, params: dict[str, Any]) -> None:
        """Note what the page complains of, and what it tells."""
        if method == "Runtime.bindingCalled":
            self.told(params["payload"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(_told(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "assert"}:
            self.errors.append(str(params["args"]))


class Browser:
    """A running Chromium. Made by `running`."""

    def __init__(self, wire: ClientConnection) -> None:
        self._wire = wire
        self._ids = itertools.count(1)
        self._pages: dict[str, Page] = {}

    def page(self) -> Page:
        """Open an empty tab."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, params: dict[str, Any], *, session: str = "") -> dict[str, Any]:
        """Send a command and wait for its answer; events that come before it go to their page."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._wire.send(json.dumps(message))
        while True:
            answer = json.loads(self._wire.recv(timeout=ANSWER_S))
            if answer.get("id") == number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            page = self._pages.get(answer.get("sessionId", ""))
            if page is not None and "method" in answer:
                page.heard(answer["method"], answer["params"])


@contextlib.contextmanager
def opened(browser: Browser, path: Path) -> Iterator[Page]:
    """Open a page of a file in a tab of its own, light; nothing it does may end in an error."""
    page = browser.page()
    page.prefer("light")
    page.open(path.as_uri())
    yield page
    assert [] == page.errors
    page.call("Page.close")


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end all of it."""
    profile = folder / "profile"
    profile.mkdir()
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": str(folder)},
        start_new_session=True,
    )
    assert process.stderr is not None
    reader = threading.Thread(target=collections.deque, args=(process.stderr, 0))
    try:
        address = _address(process.stderr)
        reader.start()  # its chatter, which would fill the pipe
        # Events wait until they are read, and what has not been read is no lost connection.
        with connect(
            address, max_size=None, max_queue=None, ping_interval=None, proxy=None
        ) as wire:
            browser = Browser(wire)
            yield browser
            browser.call("Browser.close", {})
            process.wait(ANSWER_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if reader.ident is not None:
            reader.join()
        process.stderr.close()


def _address(lines: IO[bytes]) -> str:
    """Read where it listens: it says so once it does, or ends."""
    told = []
    for line in lines:
        told.append(line.decode(errors="replace").strip())
        if told[-1].startswith("DevTools listening on "):
            return told[-1].split()[-1]
    raise RuntimeError(f"the browser did not start: {' / '.join(told[-3:])}")


def _told(details: dict[str, Any]) -> str:
    exception = details.get("exception", {})
    return str(exception.get("description") or details.get("text"))
