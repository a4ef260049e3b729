#!/usr/bin/env bash
# yfinance 1.7.0, protobuf 7.36.2: live pricing data lack each number that is 0.
# Guess: every message has the same keys, so that message["market_hours"] says of each what market it
# is of: 0 before it opens, 1 while it is open, as public clients number them; and message["change"]
# is 0.0 where the price is yesterday's.
# Seen: before the market opens there is no "market_hours", with the price of yesterday no "change".
# Times and volumes, of 64 bits, are text, and the other numbers are numbers.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check yfinance==1.7.0 protobuf==7.36.2
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import base64

import google.protobuf
import yfinance
from yfinance.live import BaseWebSocket
from yfinance.pricing_pb2 import PricingData


def decoded(**fields):
    """Return a message as yfinance hands it on; nothing is sent."""
    packed = PricingData(id="AAPL", price=210.5, time=1_752_810_300_000, **fields)
    return BaseWebSocket()._decode_message(base64.b64encode(packed.SerializeToString()).decode())


before = decoded(market_hours=0, change=0.0, day_volume=900)
during = decoded(market_hours=1, change=0.5, day_volume=900)
print("yfinance", yfinance.__version__, "protobuf", google.protobuf.__version__)
print("before the market opens:", before)
print("while it is open:       ", during)
rest = {"id": "AAPL", "price": 210.5, "time": "1752810300000", "day_volume": "900"}
assert before == rest
assert during == rest | {"market_hours": 1, "change": 0.5}
PYTHON
