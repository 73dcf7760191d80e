"""Work shared out to threads of one core each, and how many threads torch has."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

import torch

Tool = TypeVar("Tool")
Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Have torch use so many threads, and as many as before afterwards; None leaves them as they are."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number is not None:
            torch.set_num_threads(before)


def share_out(
    work: Callable[[Tool, Task], Result], tasks: Sequence[Task], tools: Sequence[Tool]
) -> Iterator[tuple[Task, Result]]:
    """Do each task in one of several threads, as soon as one is free.

    Two threads that each multiply matrices of their own leave a core idle less often than one that
    splits each of its matrices over two cores; and as none is split, no number depends on how many
    threads there are.

    Parameters
    ----------
    work
        Called with a tool and a task; must release the GIL to gain anything, as torch does.
    tasks
        In the order in which they are begun.
    tools
        One a thread, such as the model on its device; may be the same one where that is safe.

    Yields
    ------
    tuple
        A task and its result, as they end, in the caller's thread.

    Raises
    ------
    Exception
        What `work` raised first. Then, and when the caller stops early, tasks that have not begun never do.
    """
    free: queue.SimpleQueue[Tool] = queue.SimpleQueue()
    for tool in tools:
        free.put(tool)
    mine = threading.local()

    def begin() -> None:
        torch.set_num_threads(1)
        mine.tool = free.get()

    def do(task: Task) -> Result:
        return work(mine.tool, task)

    n_threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(len(tools), thread_name_prefix="synaug", initializer=begin)
    try:
        futures = {pool.submit(do, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        # Each thread has a count of its own, but a new one starts with the count that was set last.
        torch.set_num_threads(n_threads)
