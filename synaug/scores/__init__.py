"""Log probabilities to decisions and scores."""
