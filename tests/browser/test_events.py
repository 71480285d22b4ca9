"""Server-sent events in the one client that they are made for: a browser's EventSource (HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient
from support.extras import needs

if TYPE_CHECKING:
    from browser.conftest import Browser

PAGE = """<!doctype html>
<meta charset="utf-8"><link rel="icon" href="data:,"><title>events</title><ol></ol>
<script>
const source = new EventSource("/events");
source.addEventListener("tick", (event) => {
  const item = document.createElement("li");
  item.textContent = `${event.lastEventId} ${event.data}`;
  document.querySelector("ol").append(item);
  if (event.lastEventId === "4") source.close();
});
</script>
"""


@pytest.mark.parametrize("variant", ["sync", "async"])
def test_events_arrive_and_a_reconnection_says_where_it_left_off(
    browser: Browser, served: Callable[..., TestClient], variant: str
) -> None:
    needs("slimeweb-stream")
    app = Slime(__file__)
    resumed: list[str | None] = []

    @app.route("/")
    def page(req: Any, resp: Any) -> Any:
        return resp.html(PAGE)

    def events(req: Any, resp: Any) -> None:
        resumed.append(resp.last_event_id)
        start = int(resp.last_event_id or 0)
        resp.start_stream()
        # Two at a time: that the stream ends is what makes the browser come back.
        for number in (start + 1, start + 2):
            resp.send_event({"naïve": number}, event="tick", id=str(number), retry=10)

    async def events_async(req: Any, resp: Any) -> None:
        resumed.append(resp.last_event_id)
        start = int(resp.last_event_id or 0)
        resp.start_stream()
        for number in (start + 1, start + 2):
            await resp.send_event({"naïve": number}, event="tick", id=str(number), retry=10)

    app.stream("/events", content="text/event-stream")(events if variant == "sync" else events_async)
    client = served(app)
    browser.driver.get(f"{client.url}/")
    items = browser.until(lambda driver: len(found := driver.find_elements("css selector", "li")) == 4 and found)
    assert [item.text for item in items] == [f'{number} {{"naïve":{number}}}' for number in (1, 2, 3, 4)]
    assert resumed == [None, "2"]
    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(client.url).netloc}
