"""Use cases: what the functions do with timers, above the store and below HTTP and queues."""
