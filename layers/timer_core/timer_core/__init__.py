"""The code that Issue Timer's Lambda functions share.

``domain`` holds the rules and imports none of the other packages; ``services`` holds the use cases; only
``store`` accesses DynamoDB; ``github`` reads deliveries and calls GitHub's API; ``api`` holds the models,
errors and authentication of the REST API.
"""

__version__ = "1.0.0.dev0"

from timer_core.snapstart import reseed_after_restore

reseed_after_restore()
