"""The stream: what changes, to many clients over WebSockets.

The way of a change: `hub` takes it from the live engine, gives it a number and keeps it
(`changes`); `groups` say whose subscriptions it concerns; `encoding` makes its text, once;
`client` sends it, or the newest of what changed meanwhile.
"""
