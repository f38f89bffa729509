"""A load from a client in another language: the OpenTelemetry Collector's `telemetrygen` (Go)."""

import os
import shutil
import subprocess

import pytest

WORKERS, TRACES = 2, 2_000


@pytest.fixture
def telemetrygen() -> str:
    found = shutil.which("telemetrygen", path=os.environ.get("SPANLEDGER_GO_BIN"))
    return found or pytest.skip("telemetrygen is not installed: it needs Go 1.25 or newer, see run.sh")


def test_every_span_of_a_go_client_is_there_once(spanledger, telemetrygen):
    load = ["--workers", str(WORKERS), "--traces", str(TRACES), "--rate", "0"]
    to = ["--otlp-insecure", "--otlp-endpoint", spanledger.addresses["otlp-grpc"]]
    subprocess.run([telemetrygen, "traces", "--service", "telemetrygen", *load, *to], capture_output=True, timeout=120, check=True)
    # A trace is two spans, "lets-go" and its child "okey-dokey-0".
    spans = 2 * WORKERS * TRACES
    spanledger.wait_for(
        "SELECT count(*), count(DISTINCT span_id) FROM spans WHERE service_name = 'telemetrygen'",
        [spans, spans],
    )
    # None of them is a model call.
    assert spanledger.rows("SELECT count(*) FROM calls WHERE service_name = 'telemetrygen'") == [[0]]
