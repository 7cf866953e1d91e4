"""GitHub: reading its webhooks (`webhooks`) and asking its API (`api`)."""
