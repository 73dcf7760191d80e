"""Records to evidence, paired statistics and a verdict."""
