"""Where studies live: Optuna's own tables, and `hpo_*` tables for what Optuna has no word for."""
