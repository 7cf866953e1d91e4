"""The peer, tuned by what Django's and REST framework's own documentation offers.

- Connections to PostgreSQL stay open.
- Middleware: only what an API with tokens needs. No sessions, messages, CSRF tokens, translations.
- REST framework reads and writes JSON only, and so does not negotiate with its browsable API.
- A token is looked up once a minute in each process, as the product does.
- Pages have cursors, as the product's, so that lists are not counted.
- Timers are serialized by a `BaseSerializer`, without a field object for each value.
"""
