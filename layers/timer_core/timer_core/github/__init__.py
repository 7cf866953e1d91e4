"""What GitHub sends, read and reduced; the standard library only, for the receiver's cold start."""
