"""The PostgreSQL door with a certificate: encrypted for who asks, by each way of asking."""

import subprocess

import psycopg
import pytest
from conftest import running


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    variables = {"SPANLEDGER_PG_CERTIFICATE": str(certificate), "SPANLEDGER_PG_KEY": str(key)}
    with running(folder, **variables) as server:
        yield server, certificate


def connect(encrypted, **settings):
    server, certificate = encrypted
    host, port = server.pg
    login = {"host": host, "port": port, "user": "spanledger", "dbname": "spanledger"}
    return psycopg.connect(**login, sslrootcert=str(certificate), connect_timeout=20, **settings)


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_a_certificate_is_proven_and_queries_are_answered(encrypted, negotiation):
    if negotiation == "direct" and psycopg.pq.version() < 170000:
        pytest.skip("libpq 17 knows it first")
    with connect(encrypted, sslmode="verify-full", sslnegotiation=negotiation) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        count = connection.execute("SELECT value FROM generate_series(1, 100000)").fetchall()
        assert len(count) == 100_000


def test_a_running_statement_is_cancelled(encrypted):
    with connect(encrypted, sslmode="require") as connection:
        connection.execute("SET statement_timeout = 300")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b")


def test_this_machine_may_stay_plain(encrypted):
    with connect(encrypted, sslmode="disable") as connection:
        assert not connection.pgconn.ssl_in_use
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_key_of_another_certificate_is_refused_at_the_start(encrypted, tmp_path):
    _, certificate = encrypted
    subprocess.run(["openssl", "genrsa", "-out", str(tmp_path / "other.pem"), "2048"], check=True, capture_output=True)
    variables = {"SPANLEDGER_PG_CERTIFICATE": str(certificate), "SPANLEDGER_PG_KEY": str(tmp_path / "other.pem")}
    with pytest.raises((AssertionError, ValueError)), running(tmp_path, **variables):
        pass
