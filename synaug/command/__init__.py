"""The command line: Hydra stays here."""
