"""Several processes on one evaluation, as torchrun starts them: each encodes its share, the first one grades.

Only encoding is shared out. Batches are dealt in turn, whole, so each holds what it would hold in a single process and
the features are equal to the bit. What goes between the processes are features and error messages of this program.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from compoclip.errors import InputError, RunError

PATIENCE = timedelta(hours=2)  # a rank may wait that long for another's batch of large images


class Ranks:
    """One process by itself. `joined` gives the several."""

    rank, count = 0, 1

    def share(self, value: Any, error: Exception | None = None) -> list[Any]:
        """Every rank's `value`, in order of rank. Where one gives an `error`, it is raised on all of them."""
        if error is not None:
            raise error
        return [value]

    def same(self, value: Any) -> Any:
        """The first rank's value, on every rank."""
        return value


class Joined(Ranks):
    """This process among those of a torch.distributed group."""

    def __init__(self) -> None:
        import torch.distributed as dist

        self._dist, self.rank, self.count = dist, dist.get_rank(), dist.get_world_size()

    def share(self, value: Any, error: Exception | None = None) -> list[Any]:
        said = None if error is None else (isinstance(error, InputError), _words(error))
        found: list[Any] = [None] * self.count
        self._dist.all_gather_object(found, (said, None if said else value))
        for words, _ in found:
            if words is not None:
                raise Agreed(words[1]) if self.rank else (InputError if words[0] else RunError)(words[1])
        return [part for _, part in found]

    def same(self, value: Any) -> Any:
        holder = [value]
        self._dist.broadcast_object_list(holder, src=0)
        return holder[0]


class Agreed(SystemExit):
    """Ends a process whose failure the first rank tells of; its status is 0 so that torchrun lets that one speak."""

    def __init__(self, message: str) -> None:
        super().__init__(0)
        self.message = message


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, (InputError, RunError)) else f"{type(error).__name__}: {error}"


ALONE = Ranks()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that torchrun's environment tells of, or `ALONE`; all but the first keep silent."""
    told = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    if not told or int(os.environ["WORLD_SIZE"]) < 2:  # some clusters set one of them for every job
        yield ALONE
        return
    import torch.distributed as dist
    import torch.distributed.nn  # noqa: F401  imported later, its defaults would hold the group and its threads for good

    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        ranks = Joined()
        with contextlib.ExitStack() as stack:
            if ranks.rank:
                silent = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(contextlib.redirect_stdout(silent))
                stack.enter_context(contextlib.redirect_stderr(silent))
            yield ranks
    finally:
        dist.destroy_process_group()


def together(ranks: Ranks, work: Any) -> Any:
    """`work()` on every rank. Where it fails on any, it fails on all, before one of them waits for the others."""
    result, error = None, None
    try:
        result = work()
    except Exception as caught:
        if ranks.count == 1:
            raise
        error = caught
    ranks.share(None, error)
    return result
