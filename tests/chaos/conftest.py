"""The programs beside the tests are run as programs, not collected."""

collect_ignore = [
    "checker.py",
    "faults.py",
    "plans.py",
    "play.py",
    "programs.py",
    "rounds.py",
    "sandbox.py",
    "stages.py",
    "studies.py",
]
