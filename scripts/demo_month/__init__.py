"""A month of a small team's work for the local stack: what people did, and the product's records of it."""
