"""Does making synthetic minority embeddings help, which method, how much, and against what costs nothing?"""

__version__ = "0.1.0"
