"""Tests in a real browser. The tests form a package, because the fixtures have the scope "package"."""
