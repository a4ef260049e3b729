#!/usr/bin/env bash
# exchange_calendars 4.13.2 beside pandas 3.1.1: XKRX has no Saturdays, and nothing says so.
# Guess: a calendar has the sessions that it has beside pandas 2, or it cannot be made.
# Seen: Korea's half Saturdays, which lasted to 1998, are missing; the calendar is made all the same.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
for pandas in 2.3.3 3.1.1; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
        exchange_calendars==4.13.2 "pandas==$pandas" numpy==2.4.6
    "$folder/venv/bin/python" -W ignore - "$pandas" <<'PYTHON'
import sys

import exchange_calendars
import pandas as pd

calendar = exchange_calendars.get_calendar("XKRX", start="1990-01-01", end="1999-12-31")
saturdays = int((calendar.sessions.dayofweek == 5).sum())
print("exchange_calendars", exchange_calendars.__version__, "pandas", pd.__version__, "Saturdays", saturdays)
assert (saturdays > 400) if sys.argv[1].startswith("2.") else (saturdays == 0)
PYTHON
done
