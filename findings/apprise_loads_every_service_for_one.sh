#!/usr/bin/env bash
# apprise 2.3.0 on Python 3.11: a notifier of one address, Apprise.instantiate("json://...").
# Guess: the first address loads what it needs, the JSON plug-in; and a warning of another service's
# code is no matter of who does not use it.
# Seen: it loads the plug-ins of all services, more than 200 modules. One of them is for encrypted mail,
# whose code imports `imghdr`, which Python 3.11 calls deprecated: so a program that has warnings as
# errors gets an exception for its JSON address, which names neither the address nor mail.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apprise==2.3.0
cat >"$folder/one.py" <<'PYTHON'
import sys

import apprise


def plugins():
    return sum(each.startswith("apprise.plugins.") for each in sys.modules)


before = plugins()
try:
    found = type(apprise.Apprise.instantiate("json://127.0.0.1:8000")).__name__
except DeprecationWarning as warning:
    found = str(warning)
print(apprise.__version__, before, plugins(), found)
PYTHON
said=$("$folder/venv/bin/python" "$folder/one.py" 2>/dev/null)
strict=$("$folder/venv/bin/python" -W error::DeprecationWarning "$folder/one.py")
printf 'apprise, plug-ins before and after, notifier: %s\nwarnings as errors: %s\n' "$said" "$strict"
read -r _ before after notifier <<<"$said"
[ "$before" -lt 5 ] && [ "$after" -gt 200 ] && [ "$notifier" = NotifyJSON ]
grep -q imghdr <<<"$strict"
