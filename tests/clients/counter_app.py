"""An application that counts tokens with OpenTelemetry's Python SDK: a counter, and the histogram of
the GenAI conventions, exported after each round. One process is one life of the counters.

`counter_app.py ENDPOINT delta|cumulative SERVICE SEED`. Prints what it counted as JSON.
"""

import json
import random
import sys

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

ROUNDS = 4


def main(endpoint: str, temporality: str, service: str, seed: str):
    preferred = AggregationTemporality[temporality.upper()]
    exporter = OTLPMetricExporter(
        endpoint=f"{endpoint}/v1/metrics",
        preferred_temporality={Counter: preferred, Histogram: preferred},
    )
    # Exported when it is told to; never by its own clock.
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    meters = MeterProvider(
        resource=Resource.create({"service.name": service}), metric_readers=[reader]
    )
    meter = meters.get_meter("counter-app")
    spent = meter.create_counter("claude_code.token.usage", unit="tokens")
    used = meter.create_histogram("gen_ai.client.token.usage", unit="{token}")
    any_number = random.Random(seed)
    counted = {"input": 0, "output": 0, "calls": 0}
    for _ in range(ROUNDS):
        for _ in range(any_number.randrange(4)):
            counted["calls"] += 1
            for kind in ("input", "output"):
                tokens = any_number.randrange(1, 5000)
                counted[kind] += tokens
                # In either order they are the same attributes.
                pairs = [("model", "claude-sonnet-4-5"), ("type", kind)]
                spent.add(tokens, dict(any_number.sample(pairs, 2)))
                attributes = {"gen_ai.request.model": "gpt-4o", "gen_ai.token.type": kind}
                used.record(tokens, attributes)
        meters.force_flush()
    # Exports a last time: what is cumulative comes once more.
    meters.shutdown()
    print(json.dumps(counted))


main(*sys.argv[1:])
