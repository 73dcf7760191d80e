"""The documentation site: pages as Markdown, and what builds them (``make docs``, or ``python -m docs``)."""
