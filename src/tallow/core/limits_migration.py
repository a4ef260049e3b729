"""The bounds of comparisons, experiments and rollouts; `tallow.core.limits` has all of them."""

ENGINE_ANSWER_SECONDS = 60.0
"""How long a user's HTTP engine may take for one answer."""

ENGINE_ANSWER_BYTES_MAX = 1_073_741_824
"""Longest answer of a user's HTTP engine, and longest request to it: both are read whole."""

ENGINE_READ_BYTES = 1_048_576
"""As much of an HTTP engine's answer as is read at a time, between looks at its length."""

ENGINE_TEXT_SHOWN = 200
"""As much of a wrong answer's text as an error shows."""

FLAG_FILE_BYTES_MAX = 4_194_304
"""Longest flag file."""

FLAG_QUIET_SECONDS = 0.1
"""How long a flag file that is edited in place must be left alone before it is taken."""

FLAG_WATCH_SECONDS = 0.25
"""How often a flag file is looked at for events; an evaluation looks by itself."""

ROLLOUT_LOCK_SECONDS = 2.0
"""How long an action on a rollout waits for another; a revert continues without the lock then."""

ROLLOUT_LOOKS = 10
"""Looks at an interval while it runs: a clear failure does not wait for its end."""

ROLLOUT_LOOK_SECONDS_MAX = 5.0
"""Longest time between two looks of a rollout's controller."""

ROLLOUT_LATE_INTERVALS = 10
"""Intervals back in which a rollout looks again for evidence that came late."""

ROLLOUT_CLOCK_SECONDS = 1.0
"""How far the clock may be behind a rollout's log, by its small corrections, and be waited for."""

ROLLOUT_STAGES_MAX = 100
"""Most stages of a rollout."""

ROLLOUT_INTERVAL_SECONDS_MAX = 604_800.0
"""Longest interval of an analysis: a week."""

ROLLOUT_COUNT_MAX = 1_000_000_000
"""Largest count that a rollout's plan may ask for."""

COMPARE_BLOCK_ROWS = 131_072
"""Candles that a comparison asks its engines about at a time; one instrument is asked for whole."""

COMPARE_WORST_ROWS = 10
"""Worst rows of a series that a comparison keeps."""

COMPARE_FLIPS = 50
"""Flipped decisions of a rule that a comparison keeps with their bars; all are counted."""

COMPARE_FAILURES_ASKED = 5
"""Instruments that fail one after the other before an engine counts as failed for a whole block."""

COMPARE_MEASURE_SECONDS = 600.0
"""How long a comparison waits for one engine to be measured in a process of its own."""

COMPARE_RUNS_MAX = 100
"""Most timed runs of an engine in a comparison."""

SHADOW_DELAY_SECONDS = 0.001
"""What a shadow may add to a call, whatever its length."""

SHADOW_DELAY_SHARE = 0.05
"""What a shadow may add to a longer call, as a share of it."""

SHADOW_OVERDUE_SHARE = 0.005
"""Share of calls in which copying inputs and answer may take longer than that."""

SHADOW_OVERDUE_FREE = 5
"""Calls in which it may, whatever their share: the first copies are slower than the rest."""

SHADOW_QUEUE_BYTES = 67_108_864
"""Bytes of inputs and answers that wait for the candidate."""

SHADOW_NOTES = 65_536
"""Observations that wait in a serving process; further ones are lost, and counted."""

SHADOW_BATCH_SECONDS = 0.5
"""How long a serving process gathers observations before it sends them."""

SHADOW_START_SECONDS = 60.0
"""How long a worker may take to import what it runs."""

SHADOW_RETRY_SECONDS = 0.1
"""Wait before a worker, or its supervisor, is replaced for the first time; each doubles it."""

SHADOW_RETRY_SECONDS_MAX = 30.0
"""Longest such wait."""

SHADOW_WAIT_SECONDS = 30.0
"""How long a call may wait behind workers that fail: evidence must be recent."""

SHADOW_CLOSE_SECONDS = 5.0
"""How long an experiment that is closed waits for what is still in its queue."""

SHADOW_LEAVE_SECONDS = 0.5
"""How long a worker that is about to go may take for it before it is killed."""

SHADOW_WATCH_SECONDS = 0.02
"""How often a running candidate's time and memory are looked at."""

SHADOW_RESERVE_BYTES = 4_294_967_296
"""Address space that a worker may reserve on top of its memory, for stacks and allocators."""

SHADOW_STARVED = 10
"""Times its budget that a candidate may take while it waits for a processor."""

SHADOW_ABANDONED = 8
"""Candidates that may hang in a serving process before no further one is tried there."""

ERROR_CHARACTERS = 2_000
"""As much as is kept of an error's text."""

EVIDENCE_FLUSH_SECONDS = 0.1
"""How long observations are gathered before they are written: what a kill can lose."""

EVIDENCE_LOCK_SECONDS = 1.0
"""How long a writer of evidence waits for another one, and before it tries again."""

EVIDENCE_BACKLOG = 65_536
"""Observations kept while they cannot be written; beyond, the oldest are lost, and counted."""

EVIDENCE_ROWS = 1_000_000
"""Observations kept of an experiment: the newest."""

MISMATCHES_KEPT = 100
"""Mismatches kept of an experiment: the newest."""

MISMATCHES_BYTES = 268_435_456
"""Bytes of mismatches kept of an experiment."""

MISMATCH_BYTES = 16_777_216
"""Largest mismatch that is kept."""

MISMATCH_UNPACKED_BYTES = 268_435_456
"""Largest mismatch, unpacked, that is read."""

MISMATCHES_AT_ONCE = 8
"""Mismatches that wait, or are written at a time."""

MISMATCHES_PER_SECOND = 4.0
"""Mismatches kept where there are always more: of a candidate always wrong, a few show why."""
