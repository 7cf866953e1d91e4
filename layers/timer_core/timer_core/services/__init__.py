"""The use cases of the functions. They use the store, and know nothing of HTTP and queues."""
