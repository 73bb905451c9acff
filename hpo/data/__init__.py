"""Tables and images become arrays: reading, column types, splits, scaling; all of it fitted on training rows only."""
