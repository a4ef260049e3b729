"""Every limit, named and in one place. One that is hit is an error or a count, never silence."""

from __future__ import annotations

from datetime import date

LENGTH_MAX = 5_000
"""Longest look-back, in rows, that an indicator accepts."""

MULTIPLIER_MAX = 100.0
"""Largest band multiplier."""

TIMEFRAME_MINUTES_MAX = 1_440
"""Longest intraday timeframe, in minutes."""

BLOCK_ROWS = 262_144
"""Candles that a streaming run holds at a time: peak memory grows with this, not with the input."""

THREADS_MAX = 64
"""Most worker threads of one run."""

QUARANTINE_PREVIEW = 10
"""Quarantined rows that a report prints."""

DIGITS_MAX = 18
"""Most digits of a whole number in an indicator's text."""

KNOWN_SHOWN = 40
"""Known names that an error lists where none is near."""

INDICATORS_MAX = 500
"""Most indicators in one request."""

CALENDARS_MAX = 64
"""Calendars, and tables derived from them, that a process keeps."""

CALENDAR_FIRST_DATE = date(1990, 1, 1)
"""Earliest date to which a calendar is lengthened without facts."""

CALENDAR_LAST_DATE = date(2060, 12, 31)
"""Latest date to which a calendar is lengthened without facts."""

WRITER_QUEUE = 4
"""Frames that wait for the writer before the run does."""

DOCUMENT_BYTES_MAX = 268_435_456
"""Longest document of a data provider, unpacked: it is held in memory whole."""

DOCUMENT_HEAD_BYTES = 65_536
"""As much of a document as is looked at to find its format."""

STORE_FILE_ROWS = 1_048_576
"""Rows of a store's file."""

STORE_GROUP_ROWS = 32_768
"""Rows of a row group in a store's file: the least that a read of one instrument decodes."""

STORE_TAIL_BATCH_ROWS = 65_536
"""Rows of a write that still goes to the tail; longer ones become files at once."""

STORE_FLUSH_ROWS = 262_144
"""Rows in the tail at which it becomes a file."""

STORE_TAIL_LOOSE = 16
"""Batches of the tail that a read of one instrument looks through one by one."""

STORE_SMALL_FILES = 8
"""Small files that a store may have before they are merged into one."""

STORE_COMMIT_ATTEMPTS = 30
"""How often a write is tried again after others committed first."""

STORE_RETRY_SECONDS = 0.01
"""How much longer a writer waits before each further attempt."""

STORE_VIEW_ATTEMPTS = 20
"""How often a reader looks again because the store changed while it looked."""

STORE_LOOK_SECONDS = 3_600.0
"""How long a store takes the absence of a next version for the whole truth."""

STORE_ROOM_BYTES = 262_144
"""Room on the disk that a large write holds for its entry in the ledger."""

STORE_LOCK_SECONDS = 120
"""How long a writer waits for another one of the same machine."""

STORE_CONNECTIONS = 8
"""Connections to a database that a store keeps for their next use."""

STORE_REWRITE_ROWS = 4_194_304
"""Rows that a compaction holds in memory at a time."""

STORE_FILTER_INSTRUMENTS = 64
"""Most instruments that a scan filters by name; of more, it reads all rows in their range."""

QUERY_ROWS = 1_048_576
"""Candles that a range query holds at a time, of several instruments; one is held whole."""

QUERY_RESULT_BYTES = 67_108_864
"""Bytes of bars that an engine remembers from earlier range queries."""

SNAPSHOT_BYTES = 268_435_456
"""Bytes of kernel states that a store's snapshots may take on disk."""

COVERAGE_CANDLES_MAX = 10_000_000
"""Most candles per instrument in a range that is searched for missing ones."""

COVERAGE_ROWS = 4_194_304
"""Candles of a store whose coverage is counted at a time; one instrument's may be more."""

SNAPSHOTS_KNOWN = 65_536
"""Snapshots of which a process remembers when they hold."""

QUERY_PLANS = 64
"""Sets of indicators whose plans a process remembers for range queries."""
