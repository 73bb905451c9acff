"""What tests of hpo, and of code built on it, share: contract classes, builders and comparisons."""
