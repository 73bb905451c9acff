"""The processes of a server: who starts whom, who ends when, and what each of them is."""
