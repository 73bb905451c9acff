"""A thousand slots on one machine: workers that pretend, studies for them, and what to count meanwhile."""
