"""What the tests share: DynamoDB back ends to run against, and the table to run on."""
