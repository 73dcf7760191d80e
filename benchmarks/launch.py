"""A process between: it starts a command, waits, and writes its time and peak memory to a file.

Linux hands the peak of a process on to what it starts. This one imports next to nothing, so that a command's
peak is its own and not that of the program which measures.
"""

import json
import os
import subprocess
import sys
import time


def main(path: str, command: list[str]) -> None:
    """Write seconds, bytes of the largest process of the command's tree, and its exit code."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    measured = {
        "seconds": seconds,
        "memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "exit_code": process.returncode,
    }
    with open(path, "w") as file:
        json.dump(measured, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
