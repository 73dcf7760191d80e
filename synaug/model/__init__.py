"""A classifier in use: what a verdict favours, fitted on all rows, kept in a folder, and asked about new texts.

Nothing here imports what trains. Loading needs NumPy and safetensors alone; torch comes with the first prediction, the
encoder with the first text.
"""
