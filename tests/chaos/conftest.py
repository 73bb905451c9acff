"""The programs beside the tests are run as programs, not collected."""

collect_ignore = ["checker.py", "kill_rounds.py", "server_rounds.py"]
