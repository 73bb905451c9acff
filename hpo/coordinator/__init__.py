"""The coordinator drives a study: ask, plan, dispatch, collect, tell. Nothing is imported here."""
