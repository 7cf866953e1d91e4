"""Tests in a real browser. A package, because its fixtures have the scope "package"."""
