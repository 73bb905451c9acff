"""The training core: hundreds of perceptrons (lanes) as one tensor program. Imports torch and numpy only."""
