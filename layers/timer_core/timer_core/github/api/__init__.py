"""Requests to GitHub's REST and GraphQL APIs."""
