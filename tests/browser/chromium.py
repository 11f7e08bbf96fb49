"""Headless Chromium on the console: loopback alone, a profile of its own, light or dark, desktop or phone."""

from __future__ import annotations

import base64
import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from ops.servers.packages import cache, need
from ops.servers.process import wait_until

AXE = "4.14.1"
DESKTOP, PHONE = (1280, 800), (390, 844)
PATIENCE = 90.0
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-default-browser-check",
    "--disable-dev-shm-usage", "--no-proxy-server", "--hide-scrollbars", "--lang=en-GB",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class Chromium:
    """One browser; `folder` keeps its profile."""

    def __init__(self, folder: Path) -> None:
        need("chromium", "chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*_FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.set_script_timeout(PATIENCE)
        self.look(DESKTOP)

    def close(self) -> None:
        self.driver.quit()

    def look(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """As on a screen of this size, by a reader whose system is light or dark."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def text(self) -> str:
        """What the page says."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def wait_text(self, *words: str, patience: float = PATIENCE) -> str:
        """The page's text once it holds all of the words."""

        def there() -> bool:
            shown = self.text()
            return all(word in shown for word in words)

        try:
            wait_until(there, patience, f"the page says {words}")
        except Exception as error:
            raise AssertionError(f"{error}\n{self.text()}") from None
        return self.text()

    def one(self, css: str, text: str = "") -> WebElement:
        """The first element that fits and says `text`, once there is one."""
        found: list[WebElement] = []

        def there() -> bool:
            try:
                found[:] = [e for e in self.driver.find_elements(By.CSS_SELECTOR, css) if text in e.text]
            except StaleElementReferenceException:
                return False
            return bool(found)

        wait_until(there, PATIENCE, f"{css} {text!r} is there")
        return found[0]

    def click(self, css: str, text: str = "") -> None:
        """Click it, whatever was drawn anew meanwhile."""

        def done() -> bool:
            try:
                self.one(css, text).click()
            except (StaleElementReferenceException, WebDriverException):
                return False
            return True

        wait_until(done, PATIENCE, f"{css} {text!r} is clicked")

    def complaints(self) -> list[str]:
        """What the browser's console said against the page."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def axe(self) -> list[str]:
        """Faults that axe-core calls serious or critical, one line each."""
        self.driver.execute_script(axe_source())
        answer = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done)"
        )
        return [
            f"{fault['id']}: {node['html'][:160]} {node['failureSummary']}"
            for fault in answer["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    def picture(self, path: Path) -> None:
        """The whole page as PNG: the screen is made as high as the page, so that nothing sticks half way."""
        width, height = self.driver.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
        size = {"width": width, "height": min(height, 2400), "deviceScaleFactor": 1, "mobile": width == PHONE[0]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        path.write_bytes(base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"]))
        size["height"] = PHONE[1] if width == PHONE[0] else DESKTOP[1]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth - innerWidth"))


def axe_source(run: Callable[..., Any] = subprocess.run) -> str:
    """axe-core from npm, kept outside the checkout."""
    folder = cache() / f"axe-core-{AXE}"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not source.exists():
            quiet = ("--no-audit", "--no-fund", "--no-progress", "--ignore-scripts")
            run(["npm", "install", "--prefix", str(folder), f"axe-core@{AXE}", *quiet], check=True, capture_output=True)
    return source.read_text()
