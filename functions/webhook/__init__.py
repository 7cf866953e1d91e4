"""Receive, queue and process GitHub's deliveries."""
