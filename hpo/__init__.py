"""hpo searches hyperparameters of multilayer perceptrons by training hundreds of trials as one tensor program."""

__version__ = "0.1.0"
