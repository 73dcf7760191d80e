"""Nearest neighbours: searched once for a data set, filtered to each training set."""
