"""Tests in a real browser. They form a package, because the fixtures have the scope "package"."""
