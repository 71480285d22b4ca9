"""examples/chat in a real browser: three tabs in one room."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from slimeweb.testing import TestClient
from support.extras import needs

if TYPE_CHECKING:
    from browser.conftest import Browser

CHAT = Path(__file__).parents[2] / "examples" / "chat" / "main.py"
NAMES = ("anna", "bert", "carl")


@pytest.mark.slow
def test_three_tabs_talk_in_one_room(browser: Browser, served: Callable[..., TestClient]) -> None:
    needs("slimeweb-ws")
    client = served(runpy.run_path(str(CHAT))["app"])
    driver: Any = browser.driver
    tabs: dict[str, str] = {}

    def log() -> list[str]:
        return [item.text for item in driver.find_elements("css selector", "#log li")]

    for here, name in enumerate(NAMES, 1):
        if tabs:
            driver.switch_to.new_window("tab")
        tabs[name] = driver.current_window_handle
        driver.get(f"{client.url}/?room=tea&nick={name}")
        browser.until(lambda driver, here=here: driver.find_element("id", "here").text == str(here))
    for name in NAMES:
        driver.switch_to.window(tabs[name])
        driver.find_element("id", "text").send_keys(f"<b>hello</b> from {name}\n")
        browser.until(lambda _, name=name: f"{name}: <b>hello</b> from {name}" in log())
    for name in NAMES:
        driver.switch_to.window(tabs[name])
        # Text is text, whoever wrote it, and everybody has the same conversation in the same order.
        said = [line for line in log() if ": " in line]
        assert said == [f"{speaker}: <b>hello</b> from {speaker}" for speaker in NAMES]
    driver.switch_to.window(tabs["carl"])
    driver.close()
    driver.switch_to.window(tabs["anna"])
    browser.until(lambda driver: "carl has left" in log() and driver.find_element("id", "here").text == "2")
    # Browsers look for an icon, which the example does without.
    assert [each for each in browser.complaints() if "/favicon.ico" not in each] == []
    assert browser.hosts() == {urlsplit(client.url).netloc}
