"""What ails a trial or a study, in sentences with their numbers, and the study file to try next."""
