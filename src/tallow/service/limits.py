"""Numbers that bound what one service takes; each says what it bounds."""

from __future__ import annotations

READS_MAX = 4
"""Reads of the store or the live engine that run at once, in threads."""

READS_WAITING_MAX = 64
"""Reads that wait for a thread; more are refused."""

WORKERS_MAX = 2
"""Processes for what takes long."""

COMPUTES_WAITING_MAX = 32
"""Questions that wait for a worker; more are refused."""

STREAM_CLIENTS_MAX = 1_000
"""Clients of the stream; more are refused."""

STREAM_SUBSCRIPTIONS_MAX = 16
"""Subscriptions of a client."""

STREAM_KEYS_MAX = 50_000
"""Instruments times timeframes of a client's subscriptions together."""

STREAM_REQUEST_BYTES = 262_144
"""A message of a client."""

STREAM_MESSAGE_BYTES = 262_144
"""A message to a client, but for one row that is longer."""

STREAM_ERRORS_MAX = 16
"""Messages of a client in a row that are errors."""

STREAM_RECENT_MAX = 50_000
"""Keys whose last change is kept for whoever was away: some 60 MB with twelve indicators."""

STREAM_PENDING_MAX = 2_000
"""Keys that wait for a client; with more it is given them from the recent changes."""

STREAM_CHANGED_ROWS_MAX = 500
"""Rows of an instrument that a change is told by; a longer one is told by where it begins."""

STREAM_WAITING_MAX = 20_000
"""Changes of the live engine that wait for the stream; with more, all clients begin anew."""

STREAM_DRAIN_SECONDS = 10.0
"""How long a client may leave messages unread."""

STREAM_HEARTBEAT_SECONDS = 10.0
"""How often a client is told that nothing else changed."""

STREAM_BUFFER_BYTES = 65_536
"""What waits in a client's socket, in this process and again in the system."""

STREAM_STEP_ROWS = 1_000
"""Rows after which the stream lets others have the loop."""

STREAM_STEP_GROUPS = 8
"""Groups of subscriptions that are told at once, before the stream lets others have the loop."""

STREAM_CHUNK_INSTRUMENTS = 500
"""Instruments whose last bars are read at once."""

STREAM_STOP_SECONDS = 5.0
"""How long clients may read what waits while the service stops."""

STOP_SECONDS = 10
"""How long answers that are under way may take then; what is left of them is cut off."""

ASKED_INSTRUMENTS_MAX = 500
"""Instruments that one question may name."""

ASKED_CHARACTERS_MAX = 8_192
"""Longest text of one parameter: of indicators, of a cursor, of a moment."""

LISTED_MAX = 500
"""Most entries of a page of instruments or of quarantined rows."""

COVERED_INSTRUMENTS_MAX = 50
"""Instruments whose coverage is counted at once: all their candles are read."""

PAGE_ROWS = 5_000
"""Rows of a page, where no limit is asked for."""

PAGE_ROWS_MAX = 50_000
"""Most rows of a page."""

PAGE_VALUES_MAX = 2_000_000
"""Most values, rows times columns, of a page: its texts are held in memory."""

ANSWER_VALUES_MAX = 20_000_000
"""Most values that all pages of an answer may have."""

ANSWER_CANDLES_MAX = 50_000_000
"""Most candles that the bars of an answer may be made of."""

ANSWERS_BYTES = 134_217_728
"""Bytes of whole answers that are kept while their pages are asked for."""

LONG_CANDLES = 200_000
"""An answer of more candles is made by a worker: some two years of one-minute candles."""

READY_BYTES = 67_108_864
"""Bytes of bodies that are kept ready, to be sent again as they are."""

PACKED_FROM_BYTES = 1_024
"""Bodies that are shorter are sent as they are, whatever the client would unpack."""

TICKET_SECONDS = 30
"""How long a ticket is good."""

TICKETS_MAX = 10_000
"""Tickets that were given and not used yet; more are refused."""

RATES_MAX = 10_000
"""Keys and addresses whose rates are known; the one that asked longest ago is forgotten."""

RATE_BURST_SECONDS = 2.0
"""How much of a rate may come at once, after a pause as long."""

FAILURES_PER_SECOND, FAILURES_BURST = 1.0, 100.0
"""Wrong keys of an address that are answered as such."""

KEY_FILE_BYTES_MAX = 4_194_304
"""Longest file of a service's keys that is read: some twenty thousand of them."""

WRITES_MAX = 256
"""Writes that wait or run; more are refused."""

WRITE_THREADS = 16
"""Writes that run at once: those that wait for a commit share it."""

WRITE_BYTES_MAX = 134_217_728
"""Bytes of the bodies of writes that wait or run; more are refused."""

BODY_BYTES_MAX = 16_777_216
"""Bytes of a body, as it is sent and when it is unpacked."""

BODY_SECONDS = 30
"""How long a body may take to come."""

RECEIPT_ROWS_MAX = 100
"""Quarantined rows that a receipt names; the store's quarantine has all."""

REPAIRED_ROWS_MAX = 10_000
"""Quarantined rows that one request reads again."""

MEMBERS_MAX = 50_000
"""Members that a list which is sent may have, each of its intervals one."""

IDEMPOTENCY_KEY_MAX = 255
"""Characters of an idempotency key."""

STREAM_ALERTS_RECENT_MAX = 10_000
"""Alerts that are kept for whoever was away."""

STREAM_SCREEN_SECONDS = 1.0
"""How often screens are asked again at most."""

STREAM_READS_MAX = 2
"""Reads of snapshots that run at once; others of the stream wait."""

ROLLOUT_ACTIONS_WAITING_MAX = 16
"""Actions on a rollout that wait for those before them; more are refused."""

ROLLOUT_REASON_MAX = 1_000
"""Characters of the reason of an action."""

ROLLOUT_HOURS_MAX = 168.0
"""Longest time whose evidence is added up at once."""

ROLLOUT_CALLS_MAX = 500
"""Most calls that an answer about evidence shows."""

COMPARED_INSTRUMENTS_MAX = 50
"""Instruments that one comparison may name."""

COMPARED_CANDLES_MAX = 500_000
"""Most candles that one comparison gives its engines: they are read whole."""

COMPARED_VALUES_MAX = 20_000_000
"""Most candles times columns of a comparison: some of the causes are looked for by value."""

AGENT_ROWS, AGENT_ROWS_MAX = 100, 1_000
"""Rows of a tool's answer by default, and at most: more go to a file."""

AGENT_INSTRUMENTS_MAX = 200
"""Instruments that a tool may be asked about by name."""

AGENT_CANDLES_MAX = 5_000
"""Candles that a tool takes as rows; more come as a file."""

LEAK_INSTRUMENTS_MAX = 5
"""Instruments that one check for a look ahead may name."""

LEAK_CANDLES_MAX = 4_000
"""Last candles of each instrument that such a check looks at."""

LEAK_MOMENTS_ASKED_MAX = 200
"""Moments after which such a check changes everything."""
