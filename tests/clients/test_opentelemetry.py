"""OpenTelemetry's Python SDK and its instrumentation of the `openai` client, over both
transports: what SQL answers equals what the provider's stub served."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import stub_openai

# US dollars per token, openai.com/api/pricing: gpt-4o 2.50 and 10.00 per million, gpt-4o-mini
# 0.15 and 0.60.
PRICES = {
    "gpt-4o-2024-08-06": (Decimal("0.0000025"), Decimal("0.00001")),
    "gpt-4o-mini-2024-07-18": (Decimal("0.00000015"), Decimal("0.0000006")),
}


class Run:
    """One run of the application: its service, what it handled, what the stub served."""

    def __init__(self, spanledger, transport: str, conventions: str):
        self.service, self.conventions = f"chat-{transport}", conventions
        endpoint = f"http://{spanledger.addresses[f'otlp-{transport}']}"
        base_url, self.ledger, stub = stub_openai.start()
        app = Path(__file__).with_name("chat_app.py")
        done = subprocess.run(
            [sys.executable, app, transport, endpoint, base_url, self.service],
            env=os.environ | {"OTEL_SEMCONV_STABILITY_OPT_IN": conventions},
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        stub.shutdown()
        self.handled = int(done.stdout)
        self.where = f"WHERE service_name = '{self.service}'"
        # One span per request of a user, one per call of a model.
        spanledger.wait_for(f"SELECT count(*) FROM spans {self.where}", [2 * self.handled])
        spanledger.wait_for(f"SELECT count(*) FROM calls {self.where}", [self.handled])

    def served(self, what: str) -> int:
        return sum(getattr(answer, what) for answer in self.ledger.served)


@pytest.fixture(scope="module", params=[("grpc", ""), ("http", "gen_ai_latest_experimental")], ids=["grpc", "http"])
def run(spanledger, request):
    """gRPC with the instrumentation's default attribute names, HTTP (gzip) with its newest."""
    return Run(spanledger, *request.param)


def test_every_span_is_there_once(spanledger, run):
    query = f"SELECT count(*), count(DISTINCT span_id), count(DISTINCT trace_id) FROM spans {run.where}"
    assert spanledger.rows(query) == [[2 * run.handled, 2 * run.handled, run.handled]]


def test_calls_and_tokens_equal_what_was_served(spanledger, run):
    query = f"SELECT response_id, model, input_tokens, output_tokens FROM calls {run.where} AND response_id IS NOT NULL ORDER BY 1"
    served = [[a.id, a.model, a.input_tokens, a.output_tokens] for a in run.ledger.served]
    assert spanledger.rows(query) == served
    query = f"SELECT sum(input_tokens), sum(output_tokens) FROM calls {run.where}"
    assert spanledger.rows(query) == [[run.served("input_tokens"), run.served("output_tokens")]]


def test_a_retried_call_is_one_call_and_a_refused_one_is_an_error_without_tokens(spanledger, run):
    assert len(run.ledger.served) == run.handled - 1
    assert len(run.ledger.retried) == 1
    assert run.ledger.refused == 1
    query = f"SELECT status_code, error_type, input_tokens, cost FROM calls {run.where} AND response_id IS NULL"
    assert spanledger.rows(query) == [["error", "BadRequestError", None, None]]


def test_cost_is_tokens_times_list_price_to_the_last_digit(spanledger, run):
    expected = {model: Decimal(0) for model in PRICES}
    for answer in run.ledger.served:
        price_in, price_out = PRICES[answer.model]
        expected[answer.model] += answer.input_tokens * price_in + answer.output_tokens * price_out
    query = f"SELECT model, sum(cost), min(currency) FROM calls {run.where} AND cost IS NOT NULL GROUP BY 1"
    found = {model: Decimal(cost) for model, cost, currency in spanledger.rows(query) if currency == "USD"}
    assert found == expected


def test_calls_are_owned_by_what_the_root_span_says(spanledger, run):
    query = f"SELECT count(*), count(DISTINCT user_id), count(DISTINCT session_id) FROM calls {run.where} AND team = 'support'"
    assert spanledger.rows(query) == [[run.handled] * 3]


def test_token_histograms_add_up_to_what_was_served(spanledger, run):
    """In its default conventions the instrumentation measures no streamed calls."""
    measured = [a for a in run.ledger.served if run.conventions or not a.streamed]
    query = f"""
        SELECT metric_attributes['gen_ai.token.type'], sum(newest) FROM (
            SELECT metric_attributes, last_value(sum ORDER BY at) AS newest
            FROM metric_points {run.where} AND metric_name = 'gen_ai.client.token.usage'
            GROUP BY json_text(metric_attributes), metric_attributes)
        GROUP BY 1 ORDER BY 1"""
    expected = [
        ["input", sum(a.input_tokens for a in measured)],
        ["output", sum(a.output_tokens for a in measured)],
    ]
    found = [[kind, int(total)] for kind, total in spanledger.rows(query)]
    assert found == expected


def test_log_records_are_there_and_tied_to_their_traces(spanledger, run):
    spanledger.wait_for(
        f"SELECT count(*) FROM log_records {run.where} AND event_name = 'app.request'", [run.handled]
    )
    query = f"""
        SELECT count(*) FROM log_records l JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id
        WHERE l.service_name = '{run.service}' AND l.event_name = 'app.request' AND s.name = 'handle request'"""
    assert spanledger.rows(query) == [[run.handled]]
