"""What is wrong in a command line or a composed config: every problem at once, before anything is loaded.

What is cheap comes first and is said at once: names, types, ranges, places, files (`settings`). Only a config that is
sound so far is worth the seconds that it takes to import what augments, trains and logs, and to make those parts
(`parts`).
"""
