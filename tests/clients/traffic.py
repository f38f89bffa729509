"""A handful of model calls with known times, tokens and cost, for the tests that read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Call:
    number: int

    @property
    def trace_id(self) -> str:
        return f"{0xC11E27 + self.number:032x}"

    @property
    def span_id(self) -> str:
        return f"{0xC11E27 + self.number:016x}"

    @property
    def started_at(self) -> datetime:
        """Microseconds that are no whole milliseconds, across midnight UTC: two partitions."""
        return datetime(2026, 11, 1, 23, 59, 0, 123_457, UTC) + timedelta(seconds=20 * self.number)

    @property
    def duration_ms(self) -> float:
        return 1_000.0 + self.number

    @property
    def input_tokens(self) -> int:
        return 1_000 * (self.number + 1)

    @property
    def output_tokens(self) -> int:
        return 7 * (self.number + 1)

    @property
    def cost(self) -> Decimal:
        """gpt-4o: 2.50 US dollars per million input tokens, 10.00 per million output tokens."""
        return self.input_tokens * Decimal("0.0000025") + self.output_tokens * Decimal("0.00001")

    def otlp_json(self) -> dict:
        """The span in OTLP/JSON."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        start_ns = (self.started_at - epoch) // timedelta(microseconds=1) * 1_000
        text = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
        }
        numbers = {
            "gen_ai.usage.input_tokens": self.input_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
        }
        return {
            "traceId": self.trace_id,
            "spanId": self.span_id,
            "name": "chat gpt-4o",
            "kind": 3,
            "startTimeUnixNano": str(start_ns),
            "endTimeUnixNano": str(start_ns + int(self.duration_ms * 1_000_000)),
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in text.items()]
            + [{"key": k, "value": {"intValue": str(v)}} for k, v in numbers.items()],
        }


TRAFFIC = [Call(number) for number in range(7)]


def request() -> dict:
    """The `ExportTraceServiceRequest` that carries them."""
    service = {"key": "service.name", "value": {"stringValue": "traffic"}}
    scope_spans = {"scope": {"name": "traffic"}, "spans": [call.otlp_json() for call in TRAFFIC]}
    return {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [scope_spans]}]}
