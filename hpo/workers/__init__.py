"""Processes that train cohorts, on this machine or on a Ray cluster."""
