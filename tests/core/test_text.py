"""Goal: what others wrote steers no terminal where it is shown, and no password is ever shown.

Method: addresses as people write them, passwords with every awkward sign in them, each beside what
may be shown; texts with control characters beside what is printed, and JSON read back.
"""

from __future__ import annotations

import json

import pytest

from tallow.core.errors import EvidenceError, StoreError, TallowWarning
from tallow.core.text import (
    has_unescaped_user,
    hide_secrets,
    printable,
    printable_json,
    without_secrets,
)

ADDRESSES = {
    "postgresql://me:secret@server/db": "postgresql://me@server/db",
    "postgres://me:s3@cret@server:5432/db?sslmode=require": (
        "postgres://me@server:5432/db?sslmode=require"
    ),
    "postgresql://server/db?user=me&password=secret": "postgresql://server/db?user=me",
    "redis://:s3@cret@host:6379/0?stream=a&group=g": "redis://host:6379/0?stream=a&group=g",
    "rediss://me:se:cret@host/0": "rediss://host/0",
    "redis://:sec?ret@host/0": "redis://host/0",
    "redis://:sec/ret@host/0": "redis://host/0",
    "redis://me:sec#ret@host": "redis://host",
    "redis://:123/ret@host": "redis://host",
    "unix:///run/redis.sock?password=secret&stream=a": "unix:///run/redis.sock?stream=a",
    "wss://secret@server/candles": "wss://server/candles",
    "wss://server/candles?access_token=secret&symbol=A": "wss://server/candles?symbol=A",
    "https://server/answer?API-Key=secret": "https://server/answer",
    "https://server/answer?x=secret": "https://server/answer",
    "redis:me:secret@host": "redis:host",
    "http://localhost:8000/answer": "http://localhost:8000/answer",
    "redis://[::1]:6379/0": "redis://[::1]:6379/0",
    "s3://bucket/a@b/c": "s3://bucket/a@b/c",
    "replay:/data/a@b.csv": "replay:/data/a@b.csv",
    "/data/a@b.csv": "/data/a@b.csv",
    r"C:\data\a.csv": r"C:\data\a.csv",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_shown_without_its_secrets(address: str) -> None:
    assert without_secrets(address) == ADDRESSES[address]
    # Shown twice is shown once.
    assert without_secrets(ADDRESSES[address]) == ADDRESSES[address]


def test_a_secret_is_hidden_wherever_a_driver_says_it() -> None:
    url = "postgresql://me:p%40ss%zz@server/db?sslpassword=two"
    said = 'invalid token: "p%40ss%zz" (p@ss%zz), two; in postgresql://me:p%40ss%zz@server/db'
    assert hide_secrets(said, url) == (
        'invalid token: "***" (***), ***; in postgresql://me@server/db'
    )


@pytest.mark.parametrize("kind", [StoreError, TallowWarning])
def test_messages_hide_what_reads_like_a_password(kind: type[Exception]) -> None:
    told = str(kind("cannot reach redis://me:secret@host/0?token=secret; try again"))
    assert told == "cannot reach redis://host/0 try again"
    example = "must be such as redis://HOST:PORT/0?stream=candles&group=tallow"
    assert str(kind(example)) == example


def test_an_error_itself_holds_no_password() -> None:
    # What a log writes of an error is its text, its arguments, or what Python writes of it.
    error = StoreError("cannot reach redis://me:secret@host/0", 7)
    assert error.args == ("cannot reach redis://host/0", 7)
    assert "secret" not in f"{error!r}{error}{EvidenceError('redis://me:secret@host/0')!r}"


STEERING = ["\x1b]0;owned\x07", "\x9b31m", "\x08\x7f", "\r", "\u202e", "\u2066", "\u200f", "\ud800"]


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_a_terminal_is_written_out(text: str) -> None:
    shown = printable(f"A{text}B")
    assert shown.isprintable()
    assert shown.startswith("A\\")
    assert shown.endswith("B")
    assert str(StoreError(f"A{text}B")) == shown
    in_json = printable_json(json.dumps([f"A{text}B"], ensure_ascii=False))
    assert in_json.isprintable()
    assert json.loads(in_json) == [f"A{text}B"]


def test_other_text_is_left_as_it_is() -> None:
    text = "NSE_EQ|INE301A01014\tनमस्ते 株式 é ₿\nnext"
    assert printable(text) == text


def test_a_password_that_a_driver_would_take_apart_is_noticed() -> None:
    for url in ("postgresql://me:s3@cret@host/x", "postgresql://me:s3/cret@host/x"):
        assert has_unescaped_user(url)
    for url in ("postgresql://me:s3%40cret@host/x", "postgresql://host/x", "folder/a@b"):
        assert not has_unescaped_user(url)
