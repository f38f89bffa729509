"""Python's other ways to the PostgreSQL door: asyncpg, SQLAlchemy's reflection, server-side cursors
and COPY of psycopg, and what psql says of a column."""

import asyncio
import csv
import io
from datetime import UTC
from decimal import Decimal

import asyncpg
import psycopg
import pytest
import sqlalchemy
from test_postgres_clients import psql
from traffic import TRAFFIC

SPAN_IDS = [call.span_id for call in TRAFFIC]
ORDERED = "SELECT span_id FROM calls WHERE service_name = 'traffic' ORDER BY started_at"


@pytest.fixture
def connection(spanledger, traffic):
    host, port = spanledger.pg
    with psycopg.connect(host=host, port=port, user="spanledger", dbname="spanledger") as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_server_side_cursor_takes_rows_in_parts(connection, binary):
    query = "SELECT span_id, cost FROM calls WHERE service_name = %s ORDER BY started_at"
    with connection.cursor("parts", binary=binary) as cursor:
        cursor.itersize = 2
        cursor.execute(query, ("traffic",))
        assert [column.name for column in cursor.description] == ["span_id", "cost"]
        assert cursor.fetchmany(3) == [(call.span_id, call.cost) for call in TRAFFIC[:3]]
        assert cursor.fetchone() == (TRAFFIC[3].span_id, TRAFFIC[3].cost)
        assert list(cursor) == [(call.span_id, call.cost) for call in TRAFFIC[4:]]


def test_a_pipeline_answers_in_order(connection):
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::bigint * 2", (n,)) for n in range(20)]
    assert [cursor.fetchone() for cursor in cursors] == [(2 * n,) for n in range(20)]


def test_lists_are_parameters_and_maps_come_as_dicts(connection):
    query = f"SELECT count(*) FROM ({ORDERED}) AS t WHERE span_id = ANY(%s)"
    assert connection.execute(query, (SPAN_IDS[:2] + ["none"],)).fetchone() == (2,)
    query = "SELECT resource_attributes, span_attributes FROM spans WHERE service_name = 'traffic' LIMIT 1"
    assert all(isinstance(value, dict) for value in connection.execute(query).fetchone())


def test_amounts_beyond_96_bits_come_whole(connection):
    amount = Decimal("12345678901234567890.123456789012345678")
    query = "SELECT %s::decimal(38, 18), CAST('12345678901234567890.123456789012345678' AS DECIMAL(38, 18))"
    for binary in (False, True):
        assert connection.cursor(binary=binary).execute(query, (amount,)).fetchone() == (amount, amount)


def test_a_query_is_copied_as_a_file(connection):
    with connection.cursor().copy(f"COPY ({ORDERED}) TO STDOUT (FORMAT csv, HEADER)") as copy:
        text = b"".join(bytes(part) for part in copy).decode()
    assert [row["span_id"] for row in csv.DictReader(io.StringIO(text))] == SPAN_IDS
    with connection.cursor().copy(f"COPY ({ORDERED}) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["text"])
        assert [row for (row,) in copy.rows()] == SPAN_IDS


def test_psql_copies_to_a_file_of_its_own_and_nothing_into_a_table(spanledger, traffic, tmp_path):
    file = tmp_path / "calls.csv"
    psql(spanledger, rf"\copy ({ORDERED}) to '{file}' csv header")
    assert file.read_text().split() == ["span_id", *SPAN_IDS]
    with pytest.raises(AssertionError, match="is refused"):
        psql(spanledger, rf"\copy calls from '{file}' csv header")


def test_psql_tells_what_a_column_means(spanledger, traffic):
    described = psql(spanledger, r"\d+ calls")
    (cost,) = [line for line in described.splitlines() if line.startswith("cost|")]
    assert "numeric(38,18)" in cost
    assert len(cost.split("|")[-1]) > 10, cost


def test_asyncpg(spanledger, traffic):
    host, port = spanledger.pg

    async def read():
        connection = await asyncpg.connect(host=host, port=int(port), user="spanledger", database="spanledger")
        query = "SELECT span_id, cost, started_at, input_tokens FROM calls WHERE service_name = $1 ORDER BY started_at"
        rows = await connection.fetch(query, "traffic")
        assert [(r["span_id"], r["cost"], r["input_tokens"]) for r in rows] == [
            (call.span_id, call.cost, call.input_tokens) for call in TRAFFIC
        ]
        assert [r["started_at"].astimezone(UTC) for r in rows] == [call.started_at for call in TRAFFIC]
        count = "SELECT count(*) FROM calls WHERE span_id = ANY($1)"
        assert await connection.fetchval(count, SPAN_IDS[:3]) == 3
        async with connection.transaction():
            parts = [row["span_id"] async for row in connection.cursor(ORDERED, prefetch=2)]
            cursor = await connection.cursor(ORDERED)
            assert [row["span_id"] for row in await cursor.fetch(2)] == SPAN_IDS[:2]
            assert [row["span_id"] for row in await cursor.fetch(100)] == SPAN_IDS[2:]
        assert parts == SPAN_IDS
        file = io.BytesIO()
        await connection.copy_from_query(ORDERED, output=file)
        assert file.getvalue().decode().split() == SPAN_IDS
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM calls")
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SET statement_timeout = 200")
            await connection.fetch("SELECT count(*) FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b")
        await connection.close()

    asyncio.run(read())


@pytest.fixture
def engine(spanledger):
    host, port = spanledger.pg
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://spanledger@{host}:{port}/spanledger")
    yield engine
    engine.dispose()


def test_sqlalchemy_reflects_tables(spanledger, traffic, engine):
    inspector = sqlalchemy.inspect(engine)
    tables = [row[0] for row in spanledger.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")]
    assert sorted(inspector.get_table_names()) == sorted(tables)
    assert inspector.get_schema_names() == ["information_schema", "public"]
    assert inspector.has_table("calls") and not inspector.has_table("nothing")
    for nothing in (inspector.get_foreign_keys, inspector.get_indexes, inspector.get_unique_constraints):
        assert nothing("calls") == []
    assert inspector.get_pk_constraint("calls")["constrained_columns"] == []
    assert inspector.get_view_names() == inspector.get_sequence_names() == inspector.get_enums() == []
    assert inspector.get_table_comment("calls")["text"]

    columns = {column["name"]: column for column in inspector.get_columns("calls")}
    told = "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = 'calls' AND table_schema = 'public'"
    assert [(name, "YES" if column["nullable"] else "NO") for name, column in columns.items()] == [
        tuple(row) for row in spanledger.rows(f"{told} ORDER BY ordinal_position")
    ]
    cost = columns["cost"]["type"]
    assert (type(cost), cost.precision, cost.scale) == (sqlalchemy.NUMERIC, 38, 18)
    assert isinstance(columns["input_tokens"]["type"], sqlalchemy.BIGINT)
    assert columns["started_at"]["type"].timezone
    assert len(columns["cost"]["comment"]) > 10

    metadata = sqlalchemy.MetaData()
    metadata.reflect(engine)
    assert sorted(metadata.tables) == sorted(tables)


def test_sqlalchemy_asks_what_it_reflected(traffic, engine):
    calls = sqlalchemy.Table("calls", sqlalchemy.MetaData(), autoload_with=engine)
    query = (
        sqlalchemy.select(calls.c.request_model, sqlalchemy.func.sum(calls.c.cost))
        .where(calls.c.service_name == "traffic", calls.c.span_id.in_(SPAN_IDS))
        .group_by(calls.c.request_model)
    )
    with engine.connect() as connection:
        assert connection.execute(query).all() == [("gpt-4o", sum(call.cost for call in TRAFFIC))]


def test_sqlalchemy_streams_inside_transactions_in_transactions(traffic, engine):
    series = sqlalchemy.text("SELECT value FROM generate_series(1, 5000)")
    stream = {"stream_results": True, "max_row_buffer": 100}
    with engine.connect() as connection, connection.begin():
        with connection.begin_nested():
            rows = connection.execute(series, execution_options=stream)
            assert sum(row.value for row in rows) == 5_000 * 5_001 // 2
        with pytest.raises(sqlalchemy.exc.ProgrammingError), connection.begin_nested():
            connection.execute(sqlalchemy.text("SELECT nothing FROM calls"))
        with connection.begin_nested(), connection.begin_nested():
            rows = connection.execute(series, execution_options=stream)
            assert [row.value for row in rows.fetchmany(3)] == [1, 2, 3]
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1


def test_running_statements_are_listed_and_stopped(spanledger, connection):
    host, port = spanledger.pg
    # It computes for seconds without a pause; others are answered meanwhile.
    endless = (
        "SELECT count(*) FROM generate_series(1, 1000000) AS a(x)"
        " CROSS JOIN generate_series(1, 1000000) AS b(y) WHERE (x * y) % 1000003 = -1"
    )
    listed = "SELECT pid, state, query_start <= now() FROM pg_stat_activity WHERE query LIKE '%CROSS JOIN%1000003%' AND query NOT LIKE '%pg_stat%'"

    def look():
        # What runs is looked at once in a transaction, as in PostgreSQL.
        connection.rollback()
        return connection.execute(listed).fetchall()

    async def run():
        other = await psycopg.AsyncConnection.connect(host=host, port=port, user="spanledger", dbname="spanledger")
        async with other:
            running = asyncio.create_task(other.execute(endless))
            for _ in range(100):
                await asyncio.sleep(0.1)
                if rows := look():
                    break
            assert rows == [(other.info.backend_pid, "active", True)]
            other.cancel()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await running
        for _ in range(100):
            if not look():
                return
            await asyncio.sleep(0.1)
        pytest.fail("the statement is still listed")

    asyncio.run(run())
