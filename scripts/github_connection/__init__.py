"""Connect a stack with GitHub: by a GitHub App, or by a person's token."""
