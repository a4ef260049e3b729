"""How fast Tallow is, beside other libraries in their fastest correct form: ``make bench``.

Every workload runs its contestants in turns, in one warm process, on the same simulated market, and
prints ratios of medians; only these carry over from machine to machine. A peer's result is compared
with Tallow's before anything is timed. Nothing here is part of the test suite: no test asserts a
time.
"""
