"""Reading what GitHub's webhooks deliver; the standard library only, for the receiver's cold start."""
