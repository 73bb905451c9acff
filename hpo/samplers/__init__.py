"""Samplers: who proposes the next trials."""
