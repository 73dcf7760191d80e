"""Files that are whole or absent, locks, digests, and text made safe for what it is written into."""
