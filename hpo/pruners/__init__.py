"""Who judges running trials: pure rules over the histories of a bracket's trials."""
