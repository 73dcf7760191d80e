"""The figures of a report, one topic a file."""
