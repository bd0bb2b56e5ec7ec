"""Shared by every room's tests: one headless Chromium, with a fresh profile and no network."""

import base64
import json
import os
import shutil
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
