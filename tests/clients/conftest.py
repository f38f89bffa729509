"""One spanledger for all client tests: started on a temporary folder and free ports, stopped at
the end. The binary is named by the environment variable `SPANLEDGER_BINARY` (see `run.sh`)."""

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest
import traffic as known

# A trace's calls are settled once it has been quiet for this long.
QUIET = "1s"
# Flush, settle and a busy machine: far above what it takes.
VISIBLE_WITHIN_S = 60


class Spanledger:
    """The running server and its doors."""

    def __init__(self, folder: Path, addresses: dict[str, str]):
        self.folder, self.addresses = folder, addresses

    def answer(self, query: str) -> dict:
        """The answer object of the HTTP API; numbers with a point come as Decimal."""
        request = urllib.request.Request(
            f"http://{self.addresses['http']}/api/v1/sql",
            data=json.dumps({"query": query}).encode(),
            headers={"content-type": "application/json", "accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response, parse_float=Decimal)
        except urllib.error.HTTPError as error:
            pytest.fail(f"{query}: {error.code} {error.read().decode()}")

    def rows(self, query: str) -> list[list]:
        return self.answer(query)["rows"]

    def wait_for(self, query: str, expected: list) -> None:
        """Waits until the query's one row is `expected`."""
        deadline = time.monotonic() + VISIBLE_WITHIN_S
        while (found := self.rows(query)[0]) != expected:
            assert time.monotonic() < deadline, f"{query}: {found}, expected {expected}"
            time.sleep(0.2)

    def table(self, name: str) -> str:
        """Folder of a Delta table."""
        (log,) = self.folder.rglob(f"{name}/_delta_log")
        return str(log.parent)

    @property
    def pg(self) -> tuple[str, str]:
        """Host and port of the PostgreSQL door."""
        host, port = self.addresses["pg"].rsplit(":", 1)
        return host, port


@contextlib.contextmanager
def running(folder: Path, **variables: str):
    """A server on a folder and free ports; at the end it is told to stop, and must end well."""
    doors = ("otlp-grpc", "otlp-http", "http", "pg")
    flags = [part for door in doors for part in (f"--{door}-addr", "127.0.0.1:0")]
    process = subprocess.Popen(
        [os.environ["SPANLEDGER_BINARY"], "serve", "--data-dir", folder, *flags],
        env=os.environ | {"SPANLEDGER_SETTLE_QUIET": QUIET} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "ready\n" in iter(process.stdout.readline, ""), "the server ended before it was ready"
        yield Spanledger(folder, json.loads((folder / "addresses.json").read_text()))
    finally:
        process.terminate()
        status = process.wait(timeout=60)
    assert status == 0, "SIGTERM drains and ends with status 0"


@pytest.fixture(scope="session")
def spanledger(tmp_path_factory):
    with running(tmp_path_factory.mktemp("spanledger")) as server:
        yield server


@pytest.fixture(scope="session")
def traffic(spanledger):
    """The known calls, sent twice by OTLP/JSON as a client that retries would, and settled."""
    body = json.dumps(known.request()).encode()
    for _ in range(2):
        request = urllib.request.Request(
            f"http://{spanledger.addresses['otlp-http']}/v1/traces",
            data=body,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200
    query = "SELECT count(*) FROM calls WHERE service_name = 'traffic'"
    spanledger.wait_for(query, [len(known.TRAFFIC)])
