"""Shards made on this machine: in this process, or in several that write their files themselves."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import RunError
from compoclip.negatives.shards import BuildPlan, Job, ShardMaker, import_parser_alone, write


def run_local(jobs: Iterator[Job], plan: BuildPlan, out: Path, workers: int) -> Iterator[int]:
    """Make and write shards; their numbers come back as they are done.

    Raises RunError where a worker process dies.
    """
    if workers == 1:
        maker = ShardMaker(plan)
        for job in jobs:
            write(out, job.number, maker.make(job))
            yield job.number
        return
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(plan, out)) as pool:
        waiting = set()
        try:
            for job in jobs:  # a few jobs ahead of the workers, so that captions are not all copied at once
                waiting.add(pool.submit(_work, job))
                if len(waiting) >= 2 * workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            for future in waiting:
                yield future.result()
        except BrokenProcessPool:
            raise RunError(
                "a worker process died (out of memory?); run again with --resume and fewer --workers"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


_PLAN: tuple[BuildPlan, Path]
_MAKER: ShardMaker | None = None


def _start(plan: BuildPlan, out: Path) -> None:
    global _PLAN
    os.environ["OMP_NUM_THREADS"] = "1"
    _PLAN = plan, out
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells its workers nothing; they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: Job) -> int:
    global _MAKER
    plan, out = _PLAN
    if _MAKER is None:
        import_parser_alone(plan.parser)
        _MAKER = ShardMaker(plan)
    write(out, job.number, _MAKER.make(job))
    return job.number
