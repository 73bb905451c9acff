"""What the numbers of a study say, without torch."""
