"""What all figures share: what a figure is, how it looks, how it becomes a file."""
