"""Contract test classes and builders that ship with hpo."""
