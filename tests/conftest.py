"""Shared by every room's tests: processes that start at once, and one headless Chromium without a network."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BINARIES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses its own sandbox to root, which is who runs in a container
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name resolves: a page that needs the network fails
)

#: Files that take longest: begun first, so that two processes end at about the same time.
LONGEST = ("test_cli.py", "test_interruption.py", "test_validity.py", "test_docs.py", "test_networks.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


class Browser:
    """A real browser: opens local files, runs scripts in them, and tells what went wrong there."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path, width=1280, height=900):
        """Load a local file in a window of ``width`` x ``height`` CSS pixels; forget what earlier pages did."""
        settings = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", settings)
        self.driver.get("about:blank")
        self.problems()
        self.driver.get(Path(path).resolve().as_uri())

    def run(self, script, *arguments):
        """``return`` value of a script; a promise is waited for."""
        return self.driver.execute_script(script, *arguments)

    def problems(self):
        """Messages at level warning or above on the console, and addresses asked for outside the page itself."""
        console = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return console + [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]

    def overflow(self):
        """By how many CSS pixels the page is wider than its window."""
        return self.run("const e = document.documentElement; return e.scrollWidth - e.clientWidth")

    def screenshot(self, path):
        """The whole page as a PNG file."""
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        Path(path).write_bytes(base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", shot)["data"]))


def _missing(what):
    """No browser: nothing to say on a user's machine, a fault of the setup in CI."""
    message = f"no {what} on this machine (Debian: apt-get install chromium chromium-driver; pip install selenium)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """:class:`Browser` on Chromium; skipped with a message where there is none, except in CI."""
    try:
        from selenium import webdriver
    except ImportError:
        _missing("selenium")
    binary = next(filter(None, map(shutil.which, BINARIES)), None) or _missing("Chromium")
    driver = shutil.which("chromedriver") or _missing("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield Browser(running)
    running.quit()


#: Imports what takes seconds, then gives every request a process of its own, with its own output and its own end.
NURSERY = """
import json, os, resource, sys, traceback
import iclrace.cli.app, iclrace.figures, iclrace.simulate, iclrace.validate, iclrace.validate.presets
import matplotlib.pyplot, pytest

for line in sys.stdin:
    code, arguments, out, err, seconds = json.loads(line)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
        sys.argv, status = ["iclrace", *arguments], 0
        try:
            exec(compile(code, "<process>", "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="session")
def process(tmp_path_factory):
    """``process(code, *arguments)``: Python's ``code`` in a new process, as ``subprocess.run`` tells its end.

    The process is forked from one that has imported the package, which saves the seconds that an import takes. It is
    killed if it takes more than ``seconds`` of processor time, as one does that never ends.
    """
    folder = tmp_path_factory.mktemp("output")
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    count = 0

    def run(code, *arguments, seconds=600):
        nonlocal count
        count += 1
        out, err = (folder / f"{name}{count}" for name in ("out", "err"))
        words = [str(one) for one in arguments]
        nursery.stdin.write(json.dumps([code, words, str(out), str(err), seconds]) + "\n")
        nursery.stdin.flush()
        status = int(nursery.stdout.readline())
        return subprocess.CompletedProcess(words, status, out.read_text("utf-8"), err.read_text("utf-8"))

    with subprocess.Popen([sys.executable, "-c", NURSERY], **pipe) as nursery:
        yield run
        nursery.stdin.close()
