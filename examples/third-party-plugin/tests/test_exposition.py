"""The page at /metrics."""

from __future__ import annotations

import pytest
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from slimeweb import Slime
from slimeweb.errors import ConfigError, MultipleRouteException
from slimeweb.testing import TestClient


def test_the_page_is_one_that_prometheus_reads(app: Slime) -> None:
    app.route(path="/users/{id}")(lambda req, resp: "a user")
    with TestClient(app) as client:
        client.get("/users/7")
        answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    # prometheus-client adds when each series began, unless it is told not to.
    assert {name: family.type for name, family in families.items() if not name.endswith("_created")} == {
        "http_request_duration_seconds": "histogram",
        "http_requests": "counter",
        "http_requests_in_flight": "gauge",
    }
    (requests,) = [sample for sample in families["http_requests"].samples if sample.name == "http_requests_total"]
    assert (requests.labels, requests.value) == ({"route": "/users/{id}", "method": "GET", "status": "200"}, 1)
    (in_flight,) = families["http_requests_in_flight"].samples
    assert in_flight.value == 1, "this very request, and no other"


def test_the_page_can_be_elsewhere(app: Slime) -> None:
    with TestClient(app, metrics_path="/internal/metrics") as client:
        assert client.get("/internal/metrics").status_code == 200
        assert client.get("/metrics").status_code == 404


def test_a_variable_says_where_as_well(app: Slime) -> None:
    assert app.serve_config({}, {"SLIME_METRICS_PATH": "/m"}).options["metrics_path"] == "/m"
    assert app.serve_config({}, {}).options["metrics_path"] == "/metrics"


@pytest.mark.parametrize("path", ["metrics", "/{name}", "/metrics?all", 7, None])
def test_a_path_that_will_not_do_is_refused(app: Slime, path: object) -> None:
    with pytest.raises(ConfigError, match="use a path that begins with a slash"):
        app.serve_config({"metrics_path": path}, {})


def test_a_page_of_the_applications_own_is_not_replaced(app: Slime) -> None:
    app.route(path="/metrics")(lambda req, resp: "mine")
    with pytest.raises(MultipleRouteException, match="GET /metrics has two handlers"), TestClient(app):
        pass
    with TestClient(app, metrics_path="/prometheus") as client:
        assert client.get("/metrics").text == "mine"


def test_the_page_holds_metrics_of_the_applications_own(app: Slime) -> None:
    orders = Counter("orders", "Orders taken.", registry=app.metrics)
    orders.inc(3)
    with TestClient(app) as client:
        assert "\norders_total 3.0\n" in client.get("/metrics").text
