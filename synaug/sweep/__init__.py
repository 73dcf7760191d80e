"""A multirun as a whole: how far it is, what is missing, and its report at the end."""
