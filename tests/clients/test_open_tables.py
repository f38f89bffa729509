"""Other engines on the Delta folders, without spanledger: delta-rs (its own Python package),
Polars and DuckDB. Each reads the very version that SQL's answer names, and sums the same."""

from decimal import Decimal

import duckdb
import polars
import pytest
from deltalake import DeltaTable
from traffic import TRAFFIC

SUMS = "count(*), sum(input_tokens), sum(output_tokens), sum(cost)"
WHERE = "service_name = 'traffic'"


@pytest.fixture
def answer(spanledger, traffic):
    return spanledger.answer(f"SELECT {SUMS} FROM calls WHERE {WHERE}")


@pytest.fixture
def calls(spanledger, answer):
    """The table at the version the answer was read from (I-12)."""
    return DeltaTable(spanledger.table("calls"), version=answer["tables"]["calls"])


def exact(answer: dict) -> tuple:
    count, tokens_in, tokens_out, cost = answer["rows"][0]
    return count, tokens_in, tokens_out, Decimal(cost)


def test_the_answer_is_what_was_sent(answer):
    sent = (
        len(TRAFFIC),
        sum(call.input_tokens for call in TRAFFIC),
        sum(call.output_tokens for call in TRAFFIC),
        sum(call.cost for call in TRAFFIC),
    )
    assert exact(answer) == sent


def test_polars_reads_the_folder(answer, calls):
    rows = polars.read_delta(calls).filter(polars.col("service_name") == "traffic")
    sums = rows.select("input_tokens", "output_tokens", "cost").sum().row(0)
    assert (len(rows), *sums) == exact(answer)


def test_duckdb_reads_the_files_of_the_version(answer, calls):
    """DuckDB's own `delta` extension is fetched from the network when first used, so it is not
    relied on here: the list of files comes from delta-rs, the reading is DuckDB's."""
    files = calls.file_uris()
    query = f"SELECT {SUMS} FROM read_parquet({files}, hive_partitioning = true) WHERE {WHERE}"
    assert duckdb.sql(query).fetchall() == [exact(answer)]


def test_every_table_opens_with_the_types_it_says(spanledger, traffic):
    for name in ("spans", "calls", "metric_points", "log_records", "billing_lines", "prices", "contents"):
        table = DeltaTable(spanledger.table(name))
        assert table.schema().to_arrow() is not None
        assert table.metadata().partition_columns == ["date"], name
    spans = polars.read_delta(spanledger.table("spans"))
    types = dict(spans.schema)
    assert types["start_unix_ns"] == polars.Int64
    assert types["start_at"] == polars.Datetime("us", "UTC")
