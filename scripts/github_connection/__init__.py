"""Connect a stack with GitHub: with a GitHub App, or with a person's token."""
