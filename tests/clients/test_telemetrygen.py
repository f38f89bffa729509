"""A load from a client in another language: the OpenTelemetry Collector's `telemetrygen` (Go)."""

import os
import shutil
import subprocess

import pytest

WORKERS, ITEMS, TRACES = 2, 2_000, 500


@pytest.fixture
def telemetrygen(spanledger):
    """Sends a load of one signal by gRPC, as fast as it can: so many items per worker."""
    found = shutil.which("telemetrygen", path=os.environ.get("SPANLEDGER_GO_BIN"))
    if not found:
        pytest.skip("telemetrygen is not installed: it needs Go 1.25 or newer, see run.sh")

    def send(signal: str, items: int, *more: str):
        load = ["--workers", str(WORKERS), f"--{signal}", str(items), "--rate", "0", *more]
        to = ["--otlp-insecure", "--otlp-endpoint", spanledger.addresses["otlp-grpc"]]
        command = [found, signal, "--service", "telemetrygen", *load, *to]
        subprocess.run(command, capture_output=True, timeout=120, check=True)

    return send


def test_every_span_of_a_go_client_is_there_once_and_none_is_a_model_call(spanledger, telemetrygen):
    # One request per span: with batches at full rate the client's own queue of 2,048 spans overflows
    # and it drops the rest itself.
    telemetrygen("traces", TRACES, "--batch=false")
    # A trace is two spans, "lets-go" and its child "okey-dokey-0".
    spans = 2 * WORKERS * TRACES
    query = "SELECT count(*), count(DISTINCT span_id) FROM spans WHERE service_name = 'telemetrygen'"
    spanledger.wait_for(query, [spans, spans])
    assert spanledger.rows("SELECT count(*) FROM calls WHERE service_name = 'telemetrygen'") == [[0]]


@pytest.mark.parametrize("signal, table", [("metrics", "metric_points"), ("logs", "log_records")])
def test_every_point_and_record_of_a_go_client_is_there(spanledger, telemetrygen, signal, table):
    telemetrygen(signal, ITEMS)
    query = f"SELECT count(*) FROM {table} WHERE service_name = 'telemetrygen'"
    spanledger.wait_for(query, [WORKERS * ITEMS])
