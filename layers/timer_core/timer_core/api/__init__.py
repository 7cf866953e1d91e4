"""The REST API's models, errors, cursors and credentials."""
