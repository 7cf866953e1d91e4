"""GitHub's deliveries: received, queued and processed."""
