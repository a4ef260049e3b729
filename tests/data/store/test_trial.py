"""Goal: `tallow serve --check` is right about a store elsewhere, soon, and leaves no trace there.

Method: the command, over real servers of a bucket and of a database, and over ports where nobody
listens or nobody answers. What the servers hold is listed by other clients before and after.
"""

from __future__ import annotations

import socket

import obstore
import pytest
from typer.testing import CliRunner

from tallow.data.store import server, trial
from tallow.data.store.files import TableLocation
from tallow.serve.cli import app
from tallow.service.settings import ServiceSettings
from tests.data.store.bucket import BUCKET
from tests.frames import market

HIDDEN = "hush-hush"
RIGHT = "ok: the configuration is right"
HELD = (
    "SELECT relname, relfilenode FROM pg_class WHERE relnamespace::regnamespace::text "
    "NOT IN ('pg_catalog', 'pg_toast', 'information_schema') ORDER BY 1"
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(f"TALLOW_{name.upper()}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    yield
    # What is kept on this machine of a store elsewhere is neither made nor changed.
    assert not (tmp_path / "home").exists()


@pytest.fixture
def bucket(monkeypatch, bucket_options):
    """Let the environment say how to reach the bucket, as it does for a service."""
    for name, value in bucket_options.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", HIDDEN)
    return bucket_options


@pytest.fixture
def silent():
    """Return the port of a server that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def closed():
    """Return a port where nobody listens, nor will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def check(*options):
    """Return how the check ends, and what it says; it never shows a secret."""
    done = CliRunner().invoke(app, ["serve", "--check", "--port", "0", *options])
    assert HIDDEN not in done.output
    return done.exit_code, done.output


def wrong(*options):
    """Return the one thing that the check finds wrong."""
    code, said = check(*options)
    assert code == 1
    assert said.count("wrong: ") == 1
    return said


def objects(options):
    """Return what the bucket holds, and when each was written."""
    found = obstore.list(TableLocation.at(f"s3://{BUCKET}", options).bucket).collect()
    return {each["path"]: (each["e_tag"], each["last_modified"]) for each in found}


def test_a_store_in_a_bucket_is_right_and_nothing_is_written(new_place, bucket):
    place = new_place("bucket")
    store = place.open()
    store.write(market(["A"], rows=3), source_timeframe="1m")
    store.flush()
    before = objects(bucket)
    code, said = check("--store", place.location, "--feed", f"replay:{place.location}")
    assert (code, said.splitlines()[-1].partition(";")[0]) == (0, RIGHT), said
    assert objects(bucket) == before


def test_a_bucket_without_a_store_is_right_unless_it_is_read(new_place, bucket, tmp_path):
    location, before = new_place("bucket").location, objects(bucket)
    assert check("--store", location)[0] == 0
    said = wrong("--store", str(tmp_path / "candles"), "--feed", f"replay:{location}")
    assert f"store: {location}: holds no store; check the name" in said
    assert objects(bucket) == before


def test_a_bucket_that_is_not_there_is_named(bucket):
    said = wrong("--store", "s3://nowhere/candles")
    assert said.startswith("wrong: store: s3://nowhere/candles: ")
    assert "The specified bucket does not exist" in said
    assert "; check its name" in said


@pytest.mark.parametrize("port", ["closed", "silent"])
def test_a_bucket_that_cannot_be_reached_is_said_soon(request, monkeypatch, bucket, port):
    monkeypatch.setattr(trial, "STORE_CONNECT_SECONDS", 0.5)
    endpoint = f"127.0.0.1:{request.getfixturevalue(port)}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{endpoint}")
    said = wrong("--store", f"s3://{BUCKET}/candles")
    assert said.startswith(f"wrong: store: s3://{BUCKET}/candles: ")
    assert endpoint in said
    assert "after 2 retries" in said


def test_a_store_in_a_database_is_right_and_nothing_is_written(new_place, cluster):
    place = new_place("database")
    place.open().write(market(["A"], rows=3), source_timeframe="1m")
    asked = HELD, "SELECT xmin, * FROM tallow.facts", "SELECT xmin, * FROM tallow.log"
    before = [cluster.sql(place.location, each) for each in asked]
    code, said = check("--store", place.location, "--feed", f"replay:{place.location}")
    assert (code, said.splitlines()[-1].partition(";")[0]) == (0, RIGHT), said
    assert [cluster.sql(place.location, each) for each in asked] == before


def test_a_database_without_a_store_is_right_unless_it_is_read(cluster, tmp_path):
    location = cluster.database()
    assert check("--store", location)[0] == 0
    said = wrong("--store", str(tmp_path / "candles"), "--feed", f"replay:{location}")
    assert "holds no store; check the name" in said
    assert "s3cret" not in said
    assert cluster.sql(location, HELD) == ""


def test_a_wrong_password_or_database_is_said_and_not_shown(cluster):
    said = wrong("--store", cluster.url("postgres", HIDDEN))
    assert said.startswith("wrong: store: postgresql://tallow@/postgres?host=")
    assert 'password authentication failed for user "tallow"' in said
    assert "are host, database, user and password right?" in said
    said = wrong("--store", cluster.url("nowhere"))
    assert 'database "nowhere" does not exist; is the server running' in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("port", "why"),
    [
        ("closed", "Connection refused; is the server running, and are host"),
        ("silent", "the server must answer; is it held"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_soon(request, monkeypatch, port, why):
    monkeypatch.setattr(server, "STORE_CONNECT_SECONDS", 0.2)
    place = f"127.0.0.1:{request.getfixturevalue(port)}/candles?connect_timeout=2"
    said = wrong("--store", f"postgresql://me:{HIDDEN}@{place}")
    assert said.startswith(f"wrong: store: postgresql://me@{place}: ")
    assert why in said
