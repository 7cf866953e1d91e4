"""What a release has to fulfil."""
