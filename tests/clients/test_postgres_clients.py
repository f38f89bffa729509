"""psql and psycopg 3 on the PostgreSQL door. Answers equal those of the HTTP door."""

import subprocess
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from traffic import TRAFFIC


@pytest.fixture(scope="module")
def connection(spanledger, traffic):
    host, port = spanledger.pg
    with psycopg.connect(host=host, port=port, user="spanledger", dbname="spanledger", autocommit=True) as connection:
        yield connection


def psql(spanledger, command: str) -> str:
    host, port = spanledger.pg
    flags = ["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "spanledger", "-d", "spanledger"]
    done = subprocess.run(["psql", *flags, "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_psql_reads(spanledger, traffic):
    assert psql(spanledger, "SELECT count(*) FROM calls WHERE service_name = 'traffic'") == f"{len(TRAFFIC)}\n"


@pytest.mark.parametrize("command, shows", [(r"\dt", "calls"), (r"\d calls", "input_tokens"), (r"\l", "spanledger")])
def test_psql_describes(spanledger, command, shows):
    assert shows in psql(spanledger, command)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values_arrive_with_their_types(connection, binary):
    query = "SELECT span_id, started_at, duration_ms, input_tokens, cost, streaming, region FROM calls WHERE service_name = 'traffic' ORDER BY started_at"
    rows = connection.cursor(binary=binary).execute(query).fetchall()
    assert len(rows) == len(TRAFFIC)
    for row, call in zip(rows, TRAFFIC, strict=True):
        assert row[0] == call.span_id
        assert row[1].astimezone(UTC) == call.started_at
        assert row[2] == call.duration_ms
        assert row[3] == call.input_tokens
        assert row[4] == call.cost and isinstance(row[4], Decimal)
        assert row[6] is None


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_parameters_of_every_kind_filter(connection, binary):
    cursor = connection.cursor(binary=binary)
    form = "%b" if binary else "%t"
    one = TRAFFIC[2]
    for condition, value in [
        (f"span_id = {form}", one.span_id),
        (f"input_tokens = {form}", one.input_tokens),
        (f"cost = {form}", one.cost),
        (f"started_at = {form}", one.started_at),
    ]:
        query = f"SELECT span_id FROM calls WHERE service_name = {form} AND {condition}"
        assert cursor.execute(query, ("traffic", value)).fetchall() == [(one.span_id,)], condition


def test_a_prepared_statement_is_run_again_with_other_values(connection):
    for call in TRAFFIC:
        query = "SELECT output_tokens FROM calls WHERE service_name = 'traffic' AND span_id = %s"
        found = connection.execute(query, (call.span_id,), prepare=True).fetchone()
        assert found == (call.output_tokens,)


def test_a_cursor_fetches_piece_by_piece_and_row_by_row(connection):
    query = "SELECT span_id FROM calls WHERE service_name = 'traffic' ORDER BY started_at"
    cursor = connection.execute(query)
    pieces = cursor.fetchmany(3) + cursor.fetchmany(1000)
    assert pieces == [(call.span_id,) for call in TRAFFIC]
    assert list(connection.cursor().stream(query)) == pieces


def test_sums_equal_those_of_the_http_door(spanledger, connection):
    query = "SELECT sum(input_tokens), sum(output_tokens), sum(cost) FROM calls WHERE service_name = 'traffic'"
    ((tokens_in, tokens_out, cost),) = spanledger.rows(query)
    assert connection.execute(query).fetchone() == (tokens_in, tokens_out, Decimal(cost))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM calls",
        "INSERT INTO calls SELECT * FROM calls",
        "CREATE TABLE mine AS SELECT 1",
        "COPY (SELECT 1) TO '/tmp/spanledger-clients-copy.csv'",
        "SET datafusion.execution.batch_size = 1",
    ],
)
def test_writing_is_refused_and_the_connection_lives_on(connection, statement):
    with pytest.raises(psycopg.Error):
        connection.execute(statement)
    assert connection.execute("SELECT count(*) FROM calls WHERE service_name = 'traffic'").fetchone() == (len(TRAFFIC),)


def test_now_is_an_instant(connection):
    (now,) = connection.execute("SELECT now()").fetchone()
    assert abs((datetime.now(UTC) - now.astimezone(UTC)).total_seconds()) < 60
