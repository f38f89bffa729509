"""Counters of OpenTelemetry's Python SDK, as delta and as cumulative, over several lives of a
process: `metric_increases` and the question `counters` give what the process counted."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIVES = 3


@pytest.fixture(scope="module", params=["delta", "cumulative"])
def counted(spanledger, request):
    """Service, and what all its lives counted together."""
    service = f"counter-{request.param}"
    endpoint = f"http://{spanledger.addresses['otlp-http']}"
    app = Path(__file__).with_name("counter_app.py")
    total = {"input": 0, "output": 0, "calls": 0}
    for life in range(LIVES):
        done = subprocess.run(
            [sys.executable, app, endpoint, request.param, service, f"{service}-{life}"],
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        )
        for name, value in json.loads(done.stdout).items():
            total[name] += value
    assert total["calls"] > LIVES, "the random numbers made some calls"
    return service, request.param, total


def until(spanledger, query: str, expected: list) -> None:
    """Waits until the rows of a query are these."""
    deadline = time.monotonic() + 30
    while (found := spanledger.rows(query)) != expected:
        assert time.monotonic() < deadline, f"{query}: {found}, expected {expected}"
        time.sleep(0.2)


def test_increases_are_what_was_counted(spanledger, counted):
    service, temporality, total = counted
    query = f"""
        SELECT metric_attributes['type'] AS kind, min(temporality), sum(increase_int),
               count(*) FILTER (WHERE increase IS NULL)
        FROM metric_increases WHERE service_name = '{service}' AND metric_name = 'claude_code.token.usage'
        GROUP BY 1 ORDER BY 1"""
    until(spanledger, query, [[kind, temporality, total[kind], 0] for kind in ("input", "output")])


def test_histograms_increase_by_count_and_sum(spanledger, counted):
    service, _, total = counted
    query = f"""
        SELECT metric_attributes['gen_ai.token.type'] AS kind, sum(count_increase),
               CAST(sum(sum_increase) AS BIGINT)
        FROM metric_increases WHERE service_name = '{service}' AND metric_kind = 'histogram'
        GROUP BY 1 ORDER BY 1"""
    until(spanledger, query, [[kind, total["calls"], total[kind]] for kind in ("input", "output")])


def test_usage_without_a_call_is_said_to_be_in_no_spend(spanledger, counted):
    service, _, total = counted
    query = f"""
        SELECT metric_name, usage, state, metric_tokens, advice LIKE '%OTEL_LOGS_EXPORTER=otlp%'
        FROM counters(filter => 'service_name={service}') ORDER BY 1, 2"""
    expected = [
        ["claude_code.token.usage", "input-uncached", "metrics-only", total["input"], True],
        ["claude_code.token.usage", "output", "metrics-only", total["output"], True],
        ["gen_ai.client.token.usage", "input", "metrics-only", total["input"], True],
        ["gen_ai.client.token.usage", "output", "metrics-only", total["output"], True],
    ]
    until(spanledger, query, expected)
