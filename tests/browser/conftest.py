"""A real browser: Debian's chromium, without a window."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient
from support.tools import tool

# Pages of chromium's own that it opens a window with; no page under test can lead there.
OWN_SCHEMES = frozenset({"chrome", "chrome-extension", "devtools", "about", "data", "blob"})


@dataclass(frozen=True, slots=True)
class Browser:
    """One window. `driver` is selenium's."""

    driver: Any

    def hosts(self) -> set[str]:
        """Every host and port that pages have sent a request to so far."""
        addresses = [urlsplit(str(url)) for url in self._requests()]
        return {address.netloc for address in addresses if address.scheme not in OWN_SCHEMES}

    def complaints(self) -> list[str]:
        """What the pages' consoles say that is an error, such as something that a content policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def until(self, condition: Callable[[Any], Any], within: float = 20.0) -> Any:
        """What `condition(driver)` gives once it is true. TimeoutException after `within` seconds."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, within).until(condition)

    def find(self, selector: str) -> Any:
        """The element of a CSS selector, once it can be clicked."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.expected_conditions import element_to_be_clickable

        return self.until(element_to_be_clickable((By.CSS_SELECTOR, selector)))

    def _requests(self) -> Iterator[object]:
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                yield message["params"]["request"]["url"]
            elif message["method"] == "Network.webSocketCreated":
                yield message["params"]["url"]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A fresh browser with a profile of its own."""
    pytest.importorskip("selenium", reason="missing tool selenium: pip install selenium")
    from selenium import webdriver

    driver_program = shutil.which("chromedriver")
    if driver_program is None:
        pytest.skip("missing tool chromedriver: apt-get install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = tool("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"):
        options.add_argument(argument)
    # The browser's own errands (updates, safe browsing) are none of the pages'.
    options.add_argument("--disable-background-networking")
    options.add_argument("--disable-component-update")
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_program))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture
def served() -> Iterator[Callable[..., TestClient]]:
    """Serves applications until the test ends: `served(app, dev=True).url`."""
    clients: list[TestClient] = []

    def serve(app: Slime, **arguments: Any) -> TestClient:
        client = TestClient(app, **arguments).__enter__()
        clients.append(client)
        return client

    yield serve
    for client in reversed(clients):
        client.__exit__(None, None, None)
