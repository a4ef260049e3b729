#!/usr/bin/env bash
# schemathesis 4.32.5 with pytest 9.2.0 and fastapi 0.165.0.
# Guess: a schema that is loaded in a fixture (`schemathesis.pytest.from_fixture`) tests the operations
# that the same schema tests when it is loaded at import: both are ways of its documentation.
# Seen: loaded at import, the test passes; from a fixture it fails before any request is sent, with
# AttributeError: 'Function' object has no attribute '_nodeid'.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    schemathesis==4.32.5 pytest==9.2.0 fastapi==0.165.0
cat >"$folder/test_ways.py" <<'PYTHON'
import pytest
import schemathesis
from fastapi import FastAPI

app = FastAPI()


@app.get("/double")
def double(number: int) -> dict[str, int]:
    return {"double": 2 * number}


def load():
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.fixture
def api():
    return load()


at_import = load()
by_fixture = schemathesis.pytest.from_fixture("api")


@at_import.parametrize()
def test_at_import(case):
    assert case.call().status_code in (200, 405, 422)


@by_fixture.parametrize()
def test_by_fixture(case):
    assert case.call().status_code in (200, 405, 422)
PYTHON
cd "$folder"
result=$(venv/bin/python -m pytest -q -p no:cacheprovider test_ways.py 2>&1 || true)
tail -4 <<<"$result"
grep -q "'Function' object has no attribute '_nodeid'" <<<"$result"
grep -q '^1 failed, 1 passed' <<<"$result"
