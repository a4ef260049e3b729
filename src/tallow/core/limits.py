"""Every limit, named and in one place. One that is hit is an error or a count, never silence."""

from __future__ import annotations

from datetime import date

from tallow.core.limits_alerts import *  # noqa: F403
from tallow.core.limits_migration import *  # noqa: F403 - one place to look for all of them
from tallow.core.limits_screens import *  # noqa: F403

LENGTH_MAX = 5_000
"""Longest look-back, in rows, that an indicator accepts."""

MULTIPLIER_MAX = 100.0
"""Largest band multiplier."""

TIMEFRAME_MINUTES_MAX = 1_440
"""Longest intraday timeframe, in minutes."""

BLOCK_ROWS = 262_144
"""Candles that a streaming run holds at a time: peak memory grows with this, not with the input."""

COMPILE_SECONDS = 60.0
"""Longest wait for kernels that another process compiles."""

THREAD_ROWS = 8_192
"""Fewest rows for which a thread of a run is worth its while."""

THREADS_MAX = 64
"""Most worker threads of one run."""

QUARANTINE_RECORD_BYTES = 65_536
"""Bytes of a message that could not be understood that the quarantine keeps."""

QUARANTINE_PREVIEW = 10
"""Quarantined rows that a report prints."""

DIGITS_MAX = 18
"""Most digits of a whole number in an indicator's text."""

TEXT_CHARACTERS_MAX = 65_536
"""Longest text of indicators in one request."""

ROWS_IN_PYTHON_MAX = 4_096
"""Up to as many rows, a loop in Python is faster than a query."""

NAME_CHARACTERS_MAX = 1_024
"""Longest name, time, timeframe, range, pattern or address; a longer one is refused unread."""

TOML_BYTES_MAX = 4_194_304
"""Longest file of dates, or of a rollout's plan."""

UNIVERSE_BYTES_MAX = 67_108_864
"""Longest file of a universe's members."""

PATH_BYTES_MAX = 4_095
"""Longest name of a file with its folders."""

FILE_NAME_BYTES_MAX = 255
"""Longest name of a file or of a folder."""

MESSAGE_CHARACTERS_MAX = 4_096
"""Longest message of an error or a warning; a longer one shows beginning and end."""

SHOWN_CHARACTERS = 200
"""As much of a wrong value as an error shows."""

KNOWN_SHOWN = 40
"""Known names that an error lists where none is near."""

INDICATORS_MAX = 500
"""Most indicators in one request."""

CHAIN_MAX = 8
"""Most indicators in a chain, each computed of the next."""

LEAK_MOMENTS, LEAK_MOMENTS_MIN, LEAK_MOMENTS_MAX = 300, 30, 1_000_000
"""Moments between bars that a leak check takes where nobody says how many, of few candles and of
many; and most that may be asked for."""

LEAK_CANDLES = 10_000_000
"""Candles over all moments of a leak check, up to which it takes more than the fewest moments."""

LEAK_MOMENTS_THOROUGH = 16
"""Moments of a leak check at which every future is tried."""

LEAKS_MEASURED = 20
"""Leaking columns of which it is measured how far they look ahead."""

EXPLAINED_ROWS_MAX = 200_000
"""Most bars over which an explained value is computed a second time, in plain Python."""

CALENDARS_MAX = 64
"""Calendars, and tables derived from them, that a process keeps."""

CALENDAR_FIRST_DATE = date(1990, 1, 1)
"""Earliest date whose facts are taken from a library of calendars."""

WEEKDAYS_FIRST_DATE = date(1800, 1, 1)
"""Earliest date to which a calendar is lengthened without facts: that of the oldest candles."""

ASSUMED_DAYS = 400
"""Days after the last fact for which sessions are assumed: over a year, as holidays are published
some weeks before it begins."""

CALENDAR_LAST_DATE = date(2060, 12, 31)
"""Latest date to which a calendar is lengthened without facts."""

WRITER_QUEUE = 4
"""Frames that wait for the writer before the run does."""

FILE_COLUMNS_MAX = 10_000
"""Most columns of a file of candles."""

FILE_LINE_BYTES_MAX = 4_194_304
"""Longest line of a table of text."""

FILE_UNPACKED_RATIO = 100
"""How many times its size a file packed with gzip may unpack to, above `FILE_UNPACKED_BYTES`."""

FILE_UNPACKED_BYTES = 268_435_456
"""What any file packed with gzip may unpack to."""

ARROW_MESSAGES_MAX = 1_000_000
"""Messages of an Arrow file whose lengths are looked at before it is read."""

DOCUMENT_BYTES_MAX = 268_435_456
"""Longest document of a data provider, unpacked: it is read into memory whole."""

DOCUMENT_VALUES_MAX = 20_000_000
"""Most values (cells, keys, brackets) in such a document: each takes some sixty bytes of memory."""

DOCUMENT_HEAD_BYTES = 65_536
"""As much of a document as is looked at to find its format."""

CANDLE_YEAR_FIRST, CANDLE_YEAR_LAST = 1800, 2199
"""The years that a candle or a corporate action may be of, in UTC: exchanges are not older, and the
zero times of computers' libraries (year 1, year 1601) are not times."""

STORE_FILE_ROWS = 1_048_576
"""Rows of a store's file."""

STORE_GROUP_ROWS = 32_768
"""Rows of a row group in a store's file: the least that a read of one instrument decodes."""

STORE_TAIL_BATCH_ROWS = 65_536
"""Rows of a write that still goes to the tail; longer ones become files at once."""

STORE_AHEAD_SECONDS = 86_400
"""How far ahead of a store's clock the receipts may be that another tool wrote into its table."""

STORE_FLUSH_ROWS = 262_144
"""Rows in the tail at which it becomes a file."""

STORE_GROUP_SECONDS = 0.002
"""How long, by default, a write takes others into its commit that come while it is written."""

STORE_TIDY_PATIENCE_SECONDS = 0.001
"""How long the write that fills a tail waits for its flush, for each of its rows, and ten times it:
one of few rows goes on at once, and still says what fails at once."""

STORE_TIDY_SECONDS = 30.0
"""Pause before a long tail is flushed again, where that failed: each try costs seconds."""

STORE_TAIL_FOLD = 16
"""Small batches of the tail that become one: a tail has at most twice as many, and long ones."""

STORE_TAIL_FOLD_ROWS = 512
"""Rows of a batch of the tail that is not small: a tail has at most as many as make a file."""

STORE_SWEEP_SECONDS = 0.003
"""How long the lock is held at a time to give back room in a tail's file."""

STORE_UNMOVED_BYTES = 4_194_304
"""Bytes beside a tail's file at which they are moved into it, beside the writers."""

STORE_UNMOVED_PAGES = 16_384
"""Pages of 4,096 bytes beside a tail's file at which a writer does that itself."""

STORE_SEALED_SHORT = 64
"""Small batches that flushes may leave that came to nothing, before the next one takes no more."""

STORE_TAIL_LOOSE = 16
"""Long batches of the tail that a read of one instrument looks through one by one."""

STORE_SMALL_FILES = 8
"""Small files that a store may have before they are merged into one."""

STORE_COMMIT_ATTEMPTS = 30
"""How often a write is tried again after others committed first."""

STORE_RETRY_SECONDS = 0.01
"""How much longer a writer waits before each further attempt."""

STORE_VIEW_ATTEMPTS = 20
"""How often a reader looks again because the store changed while it looked."""

STORE_LOOK_SECONDS = 3_600.0
"""How long a store trusts that no next version means no newer one; then it asks the table."""

STORE_CHECKPOINT_VERSIONS = 100
"""Versions of a table between two checkpoints, as usual for Delta tables."""

STORE_UNFINISHED_HOURS = 24.0
"""How long a file that no commit names stays: a write that takes longer than this has died."""

STORE_ROOM_BYTES = 262_144
"""Room on the disk that a large write holds for its entry in the ledger."""

STORE_LOCK_SECONDS = 120
"""How long a writer waits for another one of the same machine."""

STORE_RECEIPT_SECONDS = 86_400
"""How long the receipt of a write is kept under the name of its request."""

STORE_CONNECT_SECONDS = 10.0
"""How long a store waits for an address of its database to take the connection."""

STORE_ANSWER_SECONDS = 180.0
"""How long a store waits for a database's few rows: longer than it may wait for a lock."""

STORE_ROWS_SECONDS = 600.0
"""How long a store waits for a database to give, or to take, many rows."""

STORE_STATEMENT_SECONDS = 3_600.0
"""How long any other statement in a database may take."""

STORE_CONNECTIONS = 8
"""Connections to a database that a store keeps for their next use."""

STORE_REWRITE_ROWS = 4_194_304
"""Rows that a compaction holds in memory at a time."""

STORE_FILTER_INSTRUMENTS = 64
"""Most instruments that a scan filters by name; of more, it reads all rows in their range."""

QUERY_ROWS = 1_048_576
"""Candles that a range query holds at a time, of several instruments; one is held whole."""

TRANSFORMED_ROWS_MAX = 16_777_216
"""Most bricks that one update of a transformer may make: a size too small makes no end of them."""

QUERY_RESULT_BYTES = 67_108_864
"""Bytes that the answers to range queries take in a cache, where no other bound is given."""

SNAPSHOT_BYTES = 268_435_456
"""Bytes of kernel states that a store's snapshots may take on disk."""

COVERAGE_CANDLES_MAX = 10_000_000
"""Most candles per instrument in a range that is searched for missing ones."""

COVERAGE_ROWS = 4_194_304
"""Candles of a store whose coverage is counted at a time; one instrument's may be more."""

SNAPSHOTS_KNOWN = 65_536
"""Snapshots of which a process remembers when they hold."""

TIMEFRAMES = 256
"""Texts of timeframes that a process remembers."""

PLANS = 64
"""Sets of indicators whose plans a process remembers."""

LIVE_STRIDE = 64
"""Candles between the states that a live engine keeps for corrections."""

LIVE_CANDLES = 512
"""Candles per instrument that a live engine holds, by default: more than a session of NSE."""

LIVE_CANDLES_MAX = 1_000_000
"""Most candles per instrument that a live engine may keep."""

FEED_QUEUE_BYTES = 67_108_864
"""Bytes that a feed holds for a slow reader; at this bound it stops reading its connection."""

FEED_MESSAGE_BYTES_MAX = 16_777_216
"""Longest message of a feed; a longer one ends the connection, and the client connects again."""

FEED_MESSAGE_VALUES_MAX = 1_000_000
"""Most values (keys, numbers, texts, brackets) in a message: more would take too much memory."""

FEED_MESSAGE_ROWS_MAX = 100_000
"""Most rows in a message."""

FEED_MESSAGE_OTHERS_MAX = 1_000
"""Most elements of a message that are not objects; each is quarantined by itself."""

FEED_ROW_FIELDS_MAX = 256
"""Most fields of a row in a message."""

FEED_BATCH_BYTES = 4_194_304
"""Bytes of messages at which a feed puts no more of them together, so that each step is short."""

FEED_BATCH_MESSAGES = 10_000
"""Messages, or entries of a stream, that a feed puts together at a time."""

FEED_LAYOUTS = 256
"""Sets of field names whose meaning a feed remembers."""

FEED_REJECTIONS_KEPT = 100
"""Rejected messages that a feed keeps with their reasons; all are counted."""

FEED_REJECTION_CHARACTERS = 500
"""As much as is kept of a rejected message's text."""

FEED_RETRY_SECONDS = 0.5
"""Longest wait before a feed's first attempt to connect again, or to ask for a gap again."""

FEED_RETRY_SECONDS_MAX = 30.0
"""Longest wait before any such attempt: each doubles the wait, up to this; none is the last."""

FEED_CONNECT_SECONDS = 10.0
"""How long a feed waits for a server to take the connection."""

FEED_CLOSE_SECONDS = 1.0
"""How long a feed that is closed waits for the server's farewell."""

FEED_STALL_SECONDS = 60.0
"""Silence, in a connection, after which a feed connects again."""

FEED_BACKFILL_SECONDS = 2.0
"""How long after a gap's end it is asked for: a vendor's history may come a moment later."""

FEED_REPLAY_IDLE_SECONDS = 300.0
"""Pause without candles that a replay waits through; a longer one is cut to it."""

FEED_REPLY_SECONDS = 5.0
"""How long a feed waits for Redis to answer, beyond the time it asked it to wait for entries."""

FEED_ASK_AGAIN_SECONDS = 0.05
"""Pause before Redis is asked again where it said "nothing" at once instead of waiting."""

FEED_REPLY_BYTES_MAX = 33_554_432
"""Longest answer of Redis that a feed takes; of entries that are longer it asks for fewer."""

FEED_CLAIM_SECONDS = 60.0
"""How long an entry of a Redis stream was with another consumer before it is taken over."""

FEED_UNACKNOWLEDGED_MAX = 1_000_000
"""Entries of a Redis stream that may be handed out and not acknowledged."""

TICKS_KEPT_MAX = 65_536
"""Ticks of an instrument that are kept for late ones; of minutes not yet closed, all are."""

CLOCK_AHEAD_SECONDS = 60
"""How far a venue's clock may be ahead of ours: a candle that opens later has not begun."""

CUTS = 16
"""Answers that an instrument's cached bars remember, of as many ranges."""

QUERY_SPANS = 4_096
"""Ranges of which a process remembers which candles they are made of."""

CHANGES_PER_INSTRUMENT = 128
"""Changes of an instrument that a process remembers; of older ones the store's log is asked."""

BUFFER_BYTES = 67_108_864
"""Bytes of idle arrays that the kernels' buffer pool keeps for their next use."""

FEED_AHEAD_SECONDS = 86_400
"""How far ahead of the clock a row may be and still count for a feed's search for gaps."""

LIVE_TICK_MINUTES = 30
"""Minutes back from an instrument's newest tick in which a live engine takes late ones."""

LIVE_AHEAD_SECONDS = 3_300
"""Trading time by which rows may be ahead of a live engine's own clock, which stands still between
two calls: less than the hour by which any zone's wall clock may pass for UTC."""

LIVE_GRACE_MAX_SECONDS = 1_500.0
"""Longest time after its end at which a bar turns final: within the minutes of late ticks."""

LIVE_WAIT_SECONDS = 0.25
"""How long a live session waits for a batch before it looks at its clock."""

LIVE_SAVE_SECONDS = 60.0
"""How often a live session saves its state, where it is asked to."""

LIVE_CATCH_UP_SECONDS = 10.0
"""How often a live session looks whether others wrote to its store."""

LIVE_RATE_SECONDS = 10.0
"""Span over which a live session counts its rate."""

LIVE_EVENTS_KEPT = 100
"""Corrections, and quarantined rows, that a live session remembers with their reasons."""

LIVE_TIMINGS_KEPT = 1_000
"""Updates of which a live session remembers how long they took."""

LIVE_SCREENS_KEPT = 64
"""Screens that a live engine remembers as it has read them, with their last answers."""

LIVE_LAGGING_SHOWN = 5
"""Instruments that a live session names as those furthest behind."""

COLUMN_NAMES_KNOWN = 1_024
"""Column names of inputs whose plain form a process remembers."""
