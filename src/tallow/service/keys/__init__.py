"""Who may ask a service for what.

`key_file` keeps keys, hashed; `roles` says which role each address needs, in one table; `guard`
lets requests through or refuses them, with `rates` and `tickets`; `binding` says where a service
may listen.
"""
