"""Requests of all kinds; `/spans` and `/metrics` show what has been exported."""

import asyncio
import threading

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from slimeweb import Slime
from slimeweb_opentelemetry import OpenTelemetry

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
app = Slime(__file__, plugins=[OpenTelemetry(provider, MeterProvider([reader]))])
tracer = provider.get_tracer("example")
go_on = threading.Event()
(app.root / "static").mkdir(exist_ok=True)
(app.root / "static" / "notes.txt").write_text("some notes")
app.static_route("/static", "static")


@app.route(path="/plain/{id}")
def plain(req, resp):
    with tracer.start_as_current_span("work"):
        return "ok"


@app.route(path="/coroutine/{id}")
async def coroutine(req, resp):
    await asyncio.sleep(0)
    with tracer.start_as_current_span("work"):
        return "ok"


@app.route(path="/failing")
def failing(req, resp):
    raise LookupError("no such table")


@app.stream(path="/stream", content="text/plain")
def stream(req, resp):
    resp.start_stream()
    resp.send("first\n")
    go_on.wait(10)
    with tracer.start_as_current_span("work"):
        resp.send("last\n")


@app.route(path="/go-on", method="POST")
def let_it(req, resp):
    go_on.set()
    return "ok"


@app.route(path="/spans")
def spans(req, resp):
    return [
        {
            "name": span.name,
            "kind": span.kind.name,
            "trace": format(span.context.trace_id, "032x"),
            "span": format(span.context.span_id, "016x"),
            "parent": span.parent and format(span.parent.span_id, "016x"),
            "status": span.status.status_code.name,
            "attributes": dict(span.attributes),
            "start": span.start_time,
            "end": span.end_time,
            "events": [event.attributes["exception.type"] for event in span.events],
        }
        for span in exporter.get_finished_spans()
    ]


@app.route(path="/metrics")
def metrics(req, resp):
    data = reader.get_metrics_data()
    return [
        [metric.name, dict(point.attributes), point.count]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]


@app.route(path="/pieces")
async def pieces(req, resp):
    async def generate():
        with tracer.start_as_current_span("work"):
            yield "piece"

    return resp.stream(generate())


if __name__ == "__main__":
    app.serve()
