"""All members of a run, trained in one batched program."""
