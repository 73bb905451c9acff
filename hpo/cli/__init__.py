"""The command line: one file per family of verbs; each verb calls one function of `hpo.service`."""
