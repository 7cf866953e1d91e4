"""The use cases of the functions. They call the store, and do not depend on HTTP or queues."""
