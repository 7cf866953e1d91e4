"""The sweeper, which a schedule invokes."""
