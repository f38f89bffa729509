"""spanledger as a client of an OTLP backend: its own spans, sent where `telemetry.otlp_endpoint`
says. The backend is another spanledger, which real SDKs have shown to speak OTLP."""

import json
import urllib.request

import traffic as known
from conftest import running

# What each step of the two ways is called, and what it is part of: one request in, one query out.
PARENTS = {"receive": None, "flush": None, "write": "flush", "query": None, "snapshot": "query", "plan": "query", "execute": "query"}


def test_the_steps_of_a_request_and_of_a_query_are_spans_at_the_endpoint(spanledger, tmp_path):
    endpoint = f"http://{spanledger.addresses['otlp-grpc']}"
    with running(tmp_path, SPANLEDGER_TELEMETRY_OTLP_ENDPOINT=endpoint) as watched:
        request = urllib.request.Request(
            f"http://{watched.addresses['otlp-http']}/v1/traces",
            data=json.dumps(known.request()).encode(),
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()
        watched.wait_for("SELECT count(*) > 0 FROM spans", [True])
    # Stopping has sent what was left.
    own = "service_name = 'spanledger'"
    spanledger.wait_for(f"SELECT count(DISTINCT name) >= {len(PARENTS)} FROM spans WHERE {own}", [True])
    query = f"""
        SELECT DISTINCT c.name, p.name FROM spans c
        LEFT JOIN spans p ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id
        WHERE c.{own}"""
    found = {(name, parent) for name, parent in spanledger.rows(query)}
    assert set(PARENTS.items()) <= found
    took = spanledger.rows(f"SELECT min(duration_ns) FROM spans WHERE {own} AND name = 'query'")
    assert took[0][0] > 0
    items = f"SELECT span_attributes['items'] FROM spans WHERE {own} AND name = 'receive'"
    assert spanledger.rows(items) == [[str(len(known.TRAFFIC))]]


def test_an_endpoint_that_is_not_there_stops_nothing(tmp_path):
    with running(tmp_path, SPANLEDGER_TELEMETRY_OTLP_ENDPOINT="http://127.0.0.1:9") as server:
        assert server.rows("SELECT 40 + 2") == [[42]]
