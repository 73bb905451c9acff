"""Figures of a study: first the numbers as a frozen record, then their drawing by Plotly."""
