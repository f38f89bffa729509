"""Drivers of other languages on the PostgreSQL door: pgjdbc (Metabase, DBeaver, Tableau), node-postgres
with its cursors, pgx and lib/pq (Grafana). Each program says what it read; here stands what it is."""

import json
import os
import subprocess
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from traffic import TRAFFIC

HERE = Path(__file__).parent
# 1 + 2 + … + 50,500
SERIES = (50_500, 50_500 * 50_501 // 2)


def lines(spanledger, traffic, *command: str) -> list[str]:
    done = subprocess.run([*command, *spanledger.pg], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


def tool(name: str) -> str:
    """What `run.sh` has built; the test says that it was skipped where it could not."""
    found = os.environ.get(f"SPANLEDGER_{name}")
    if not found:
        pytest.skip(f"{name} is not installed, see run.sh")
    return found


@pytest.fixture(scope="module")
def jdbc(spanledger, traffic):
    said = defaultdict(list)
    for line in lines(spanledger, traffic, "java", "-cp", tool("JDBC"), "Client"):
        name, _, values = line.partition("\t")
        said[name].append(values.split("|"))
    return said


@pytest.mark.parametrize("run", [1, 8], ids=["text", "binary"])
def test_jdbc_reads_typed_rows(jdbc, run):
    rows = jdbc[f"row {run}"]
    assert len(rows) == len(TRAFFIC)
    for row, call in zip(rows, TRAFFIC, strict=True):
        assert row[:2] == [call.span_id, str(call.input_tokens)]
        assert Decimal(row[2]) == call.cost
        assert datetime.fromisoformat(row[3]) == call.started_at
        assert row[4:] == [str(call.duration_ms), "null"]


def test_jdbc_sends_and_reads_arrays(jdbc):
    assert jdbc["any"] == [["2"]]
    assert jdbc["array"] == [[str(call.input_tokens) for call in TRAFFIC]]


def test_jdbc_describes_tables_and_columns(jdbc, spanledger):
    assert jdbc["product"][0][0] == "PostgreSQL"
    tables = spanledger.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    assert sorted(row[0] for row in jdbc["table"]) == sorted(name for (name,) in tables)
    columns = {row[0]: row[1:] for row in jdbc["column"]}
    assert columns["cost"][:3] == ["numeric", "38", "18"]
    assert columns["input_tokens"][0] == "int8"
    assert columns["started_at"][0] == "timestamptz"
    # What a column means comes with it.
    assert "tokens" in columns["input_tokens"][3]
    for none in ["primary keys", "imported keys", "exported keys", "indexes"]:
        assert jdbc[none] == [["0"]], none


def test_jdbc_fetches_in_parts(jdbc):
    assert jdbc["parts"] == [[str(number) for number in SERIES]]


def test_jdbc_is_refused_and_lives_on(jdbc):
    assert jdbc["stopped"] == [["57014", "true"]]
    assert dict(jdbc["refused"]) == {
        "DELETE FROM calls": "25006",
        "CREATE TABLE t (a INT)": "25006",
        "SELECT * FROM nothing": "42P01",
        "SELECT nothing FROM calls": "42703",
        "SELECT 1/0": "22012",
    }
    assert jdbc["lives on"] == [[str(len(TRAFFIC))]]


def check_rows(rows: list[dict]):
    assert len(rows) == len(TRAFFIC)
    for row, call in zip(rows, TRAFFIC, strict=True):
        assert row["span_id"] == call.span_id
        assert int(row["input_tokens"]) == call.input_tokens
        assert Decimal(row["cost"]) == call.cost
        at = datetime.fromisoformat(row["started_at"])
        # A JavaScript date has milliseconds.
        assert abs(at - call.started_at).total_seconds() < 0.001
        assert row["duration_ms"] == call.duration_ms
        assert row["region"] is None


def test_node_postgres(spanledger, traffic):
    program = str(Path(tool("NODE")) / "client.js")
    said = dict(json.loads(line) for line in lines(spanledger, traffic, "node", program))
    check_rows(said["rows"])
    assert said["named"] == len(TRAFFIC)
    assert said["any"] == "2"
    (arrays,) = said["arrays"]
    assert arrays["models"] == ["gpt-4o"] * len(TRAFFIC) and isinstance(arrays["span_attributes"], dict)
    assert tuple(said["cursor"]) == SERIES
    assert said["closed early"] == [{"one": "1"}]
    assert said["stream"] == SERIES[1]
    assert said["refused"] == {
        "DELETE FROM calls": "25006",
        "SELECT * FROM nothing": "42P01",
        "SELECT nothing FROM calls": "42703",
    }
    assert said["stopped"] == "57014"


def test_pgx_and_lib_pq(spanledger, traffic):
    said = dict(json.loads(line) for line in lines(spanledger, traffic, tool("GO")))
    for rows in ["pgx prepared", "pgx described", "pgx exec", "pgx simple", "pq"]:
        check_rows(said[rows])
    assert said["pgx any"] == said["pq any"] == 2
    assert said["pgx batch"] == [0, 2, 4, 6, 8]
    assert said["pgx copy"] == [SERIES[0], SERIES[0]]
    for truth in ["pgx json", "pgx stopped", "pgx refused", "pq refused"]:
        assert said[truth] is True, truth
