"""What the Lambda functions of Issue Timer share.

``domain`` knows nothing of AWS, HTTP or GitHub; ``store`` is the only place that speaks
DynamoDB; ``github`` reads deliveries; ``api`` holds the models and errors of the REST API.
"""

__version__ = "1.0.0.dev0"
