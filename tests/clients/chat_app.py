"""An application as users write them: the `openai` client, instrumented by OpenTelemetry's own
instrumentation, with traces, metrics and logs exported by OTLP.

Run as a process of its own, because an OpenTelemetry SDK is set up once per process:
`chat_app.py grpc|http ENDPOINT OPENAI_BASE_URL SERVICE`. Prints how many requests it handled.
"""

import sys

import openai
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PLAIN, STREAMED = 12, 6


def exporters(protocol: str, endpoint: str):
    """Exporters of traces, metrics and logs."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        options = {"endpoint": endpoint, "insecure": True}
        return OTLPSpanExporter(**options), OTLPMetricExporter(**options), OTLPLogExporter(**options)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    options = {"compression": Compression.Gzip}
    return (
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", **options),
        OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", **options),
        OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", **options),
    )


def main(protocol: str, endpoint: str, base_url: str, service: str):
    resource = Resource.create({"service.name": service, "deployment.environment.name": "test"})
    spans, points, records = exporters(protocol, endpoint)
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(points)])
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(records))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)
    _logs.set_logger_provider(loggers)
    OpenAIInstrumentor().instrument()

    tracer = trace.get_tracer("chat-app")
    logger = _logs.get_logger("chat-app")
    client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=2)
    handled = 0

    def handle(prompt: str, **options):
        """One request of a user: the owner is said on the root span alone."""
        nonlocal handled
        handled += 1
        owner = {"team": "support", "user.id": f"user-{handled}", "session.id": f"session-{handled}"}
        with tracer.start_as_current_span("handle request", attributes=owner):
            logger.emit(LogRecord(event_name="app.request", body=f"request {handled}"))
            messages = [{"role": "user", "content": prompt}]
            try:
                answer = client.chat.completions.create(messages=messages, **options)
                for _ in answer if options.get("stream") else ():
                    pass
            except openai.BadRequestError:
                pass

    for i in range(PLAIN):
        handle(f"question {i} " + "word " * i, model="gpt-4o")
    for i in range(STREAMED):
        options = {"stream": True, "stream_options": {"include_usage": True}}
        handle(f"tell me more about {i}", model="gpt-4o-mini", **options)
    handle("[retry] once, please", model="gpt-4o")
    handle("[broken] request", model="gpt-4o")

    for provider in (tracers, meters, loggers):
        provider.shutdown()
    print(handled)


if __name__ == "__main__":
    main(*sys.argv[1:])
