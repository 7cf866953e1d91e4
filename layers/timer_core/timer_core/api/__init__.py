"""The shapes of the REST API: models, errors, cursors and credentials."""
