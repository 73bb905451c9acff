"""What is trained in the benchmarks of the core, by us and as one would by hand; needs torch and numpy only."""
