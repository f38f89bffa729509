"""A local stand-in for OpenAI's chat completions API.

Takes the requests of the `openai` client, gives answers with usage, streamed or not, and keeps a
ledger of what it served: the truth that the tests compare with. It does not know OpenTelemetry.

Words in the prompt choose the behaviour: `[retry]` is answered 429 the first time, `[broken]` is
answered 400.
"""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The dated names under which OpenAI serves its aliases.
SERVED_AS = {"gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18"}


@dataclass
class Served:
    """One answered completion."""

    id: str
    model: str
    streamed: bool
    input_tokens: int
    output_tokens: int


@dataclass
class Ledger:
    """Everything one stub has answered."""

    served: list[Served] = field(default_factory=list)
    refused: int = 0
    retried: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def ledger(self) -> Ledger:
        return self.server.ledger

    def log_message(self, *_):
        """The tests' output is no place for an access log."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = " ".join(m["content"] for m in request["messages"])
        with self.ledger.lock:
            if "[broken]" in prompt:
                self.ledger.refused += 1
                return self.fail(400, "invalid_request_error")
            if "[retry]" in prompt and prompt not in self.ledger.retried:
                self.ledger.retried.add(prompt)
                return self.fail(429, "rate_limit_exceeded")
            answer = self.serve(request, prompt)
        self.stream(request, answer) if answer.streamed else self.whole(answer)

    def serve(self, request: dict, prompt: str) -> Served:
        """Decides what is served; token counts follow from the prompt and the request's number."""
        number = len(self.ledger.served) + 1
        answer = Served(
            id=f"chatcmpl-stub-{number:04}",
            model=SERVED_AS.get(request["model"], request["model"]),
            streamed=bool(request.get("stream")),
            input_tokens=11 + len(prompt.split()),
            output_tokens=3 + number,
        )
        self.ledger.served.append(answer)
        return answer

    def whole(self, answer: Served):
        message = {"role": "assistant", "content": "word " * answer.output_tokens}
        self.send(
            200,
            {
                "id": answer.id,
                "object": "chat.completion",
                "created": 1,
                "model": answer.model,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage(answer),
            },
        )

    def stream(self, request: dict, answer: Served):
        """Server-sent events; the usage comes last, when the client asked for it."""
        chunk = {"id": answer.id, "object": "chat.completion.chunk", "created": 1}
        chunk["model"] = answer.model
        choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
        chunks = [chunk | {"choices": [choice]} for _ in range(answer.output_tokens)]
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        chunks.append(chunk | {"choices": [end]})
        if (request.get("stream_options") or {}).get("include_usage"):
            chunks.append(chunk | {"choices": [], "usage": usage(answer)})
        events = "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"
        self.reply(200, "text/event-stream", events.encode())

    def fail(self, status: int, kind: str):
        self.send(status, {"error": {"type": kind, "code": kind, "message": kind}})

    def send(self, status: int, body: dict):
        self.reply(status, "application/json", json.dumps(body).encode())

    def reply(self, status: int, kind: str, body: bytes):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        # The client's pause before it repeats a 429; its default is half a second and more.
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(body)


def usage(answer: Served) -> dict:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def start() -> tuple[str, Ledger, ThreadingHTTPServer]:
    """Starts a stub on a free port; gives its base URL, its ledger and the server to shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.ledger = Ledger()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1", server.ledger, server
