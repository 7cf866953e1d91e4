"""GitHub: its webhooks (`webhooks`), its API (`api`), and the events that both produce (`messages`).

Neither `webhooks` nor `api` imports the other.
"""
