"""Several processes on one training run or one evaluation, as torchrun starts them. Only this file knows
torch.distributed.

Evaluation shares out the encoding: batches are dealt in turn, whole, so the features are those of a single process to
the bit. Training gives every process its own rows of each batch and brings features and gradients together
(`training/backward.py`). What else goes between the processes are error messages of this program.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from compoclip.errors import InputError, RunError, Stopped
from compoclip.rendezvous import meet

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")
PATIENCE = timedelta(hours=2)  # a rank may wait that long for another's batch of large images, or for grading
BUCKET = 2**24  # numbers of gradient that travel together


def started() -> int:
    """How many processes the environment tells of (torchrun's WORLD_SIZE); 1 where it does not tell of a group."""
    told = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    return int(os.environ["WORLD_SIZE"]) if told else 1  # some clusters set one of them for every job


class Ranks:
    """One process by itself. `joined` gives the several."""

    rank, count = 0, 1

    def share(self, value: T, error: Exception | None = None) -> list[T]:
        """Every rank's `value`, in order of rank. Where one gives an `error`, it is raised on all of them."""
        if error is not None:
            raise error
        return [value]

    def same(self, value: T) -> T:
        """The first rank's value, on every rank."""
        return value

    def check(self, error: Exception | None) -> None:
        """Raise on all ranks where one gives an `error`; one small number travels where none does."""
        if error is not None:
            raise error

    def gather(self, rows: Tensor) -> Tensor:
        """Rows (B, ...) of every rank, equally many on each, in order of rank: (count * B, ...). No gradient."""
        return rows

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over the ranks. No gradient."""
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum `.grad` over the ranks. A parameter without a gradient on every rank keeps none."""

    def copy_from_first(self, module: nn.Module) -> None:
        """Give parameters and buffers the values that they have on the first rank."""


class ProcessGroup(Ranks):
    """This process among those of a torch.distributed group."""

    def __init__(self) -> None:
        import torch.distributed as dist

        self._dist: Any = dist
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def share(self, value: T, error: Exception | None = None) -> list[T]:
        said = None if error is None else (isinstance(error, InputError), _words(error))
        found: list[Any] = [None] * self.count
        with _lost():
            self._dist.all_gather_object(found, (said, None if said else value))
        for words, _ in found:
            if words is not None:
                raise Agreed(words[1]) if self.rank else (InputError if words[0] else RunError)(words[1])
        return [part for _, part in found]

    def same(self, value: T) -> T:
        holder: list[Any] = [value]
        with _lost():
            self._dist.broadcast_object_list(holder, src=0)
        found: T = holder[0]
        return found

    def check(self, error: Exception | None) -> None:
        import torch

        failed = torch.tensor(0 if error is None else 1)  # on the CPU: a GPU need not be waited for
        with _lost():
            self._dist.all_reduce(failed)
        if failed:
            self.share(None, error)

    def gather(self, rows: Tensor) -> Tensor:
        import torch

        sent = rows.detach().contiguous()
        sent = sent.to(torch.uint8) if sent.dtype == torch.bool else sent
        parts = [torch.empty_like(sent) for _ in range(self.count)]
        with _lost():
            self._dist.all_gather(parts, sent)
        return torch.cat(parts).to(rows.dtype)

    def total(self, values: Tensor) -> Tensor:
        summed = values.detach().clone()
        with _lost():
            self._dist.all_reduce(summed)
        return summed

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        import torch

        chosen = list(parameters)
        if not chosen:
            return
        has = torch.tensor([p.grad is not None for p in chosen], dtype=torch.int32)
        with _lost():
            self._dist.all_reduce(has)
        used = [p for p, number in zip(chosen, has.tolist()) if number]
        for p in used:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        for bucket in _buckets(used):
            flat = torch.cat([p.grad.flatten() for p in bucket if p.grad is not None])
            with _lost():
                self._dist.all_reduce(flat)
            for p, part in zip(bucket, flat.split([p.numel() for p in bucket])):
                assert p.grad is not None
                p.grad.copy_(part.view_as(p.grad))

    def copy_from_first(self, module: nn.Module) -> None:
        with _lost():
            for tensor in module.state_dict().values():
                sent = tensor.data.contiguous()
                self._dist.broadcast(sent, src=0)
                tensor.data.copy_(sent)


def _buckets(parameters: list[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Parameters of one dtype and device in turn, up to `BUCKET` numbers together."""
    bucket: list[nn.Parameter] = []
    for p in parameters:
        fits = bucket and (p.dtype, p.device) == (bucket[0].dtype, bucket[0].device)
        if bucket and not (fits and sum(q.numel() for q in bucket) + p.numel() <= BUCKET):
            yield bucket
            bucket = []
        bucket.append(p)
    if bucket:
        yield bucket


class Agreed(SystemExit):
    """Ends a process whose failure the first rank tells of; its status is 0 so that torchrun lets that one speak."""

    def __init__(self, message: str) -> None:
        super().__init__(0)
        self.message = message


class Lost(RunError):
    """Another process of the run is gone."""


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    """A peer that died shows as a closed connection in whatever was under way."""
    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        if not any(sign in words for sign in ("connection", "peer", "socket", "timed out", "nccl", "gloo")):
            raise
        raise Lost("another process of this run ended; start all of them again with --resume") from error


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, (InputError, RunError)) else f"{type(error).__name__}: {error}"


ALONE = Ranks()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that torchrun's environment tells of, or `ALONE`; all but the first keep silent.

    Tensors on a GPU travel by NCCL where each process of a machine has a GPU of its own, all else by Gloo.
    """
    if started() < 2:
        yield ALONE
        return
    import torch
    import torch.distributed as dist
    import torch.distributed.nn

    local, here = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    gpus = dist.is_nccl_available() and torch.cuda.is_available() and torch.cuda.device_count() >= here
    if gpus:
        torch.cuda.set_device(local)
    store, rank, count = meet(dist.rendezvous, dist.PrefixStore)  # type: ignore[attr-defined]  # public, but not listed
    store.set_timeout(PATIENCE)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE, store=store, rank=rank, world_size=count
    )
    try:
        ranks = ProcessGroup()
        with contextlib.ExitStack() as stack:
            if ranks.rank:
                silent = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(contextlib.redirect_stdout(silent))
                stack.enter_context(contextlib.redirect_stderr(silent))
            yield ranks
    except Lost:
        if dist.get_rank():
            raise Agreed("another process of this run ended") from None  # the first rank tells of it
        if words := _message_left(dist):
            raise RunError(words) from None
        raise
    except Stopped as error:
        if dist.get_rank():
            raise SystemExit(error.status) from None  # asked for on all: the first rank tells of it
        raise
    except Exception as error:  # one that the ranks have not agreed on, such as a loader worker that was killed
        if dist.get_rank():
            _leave_message(dist, _words(error))
            raise Agreed(_words(error)) from error
        raise
    finally:
        dist.destroy_process_group()


MESSAGE = "compoclip/message"  # key of the group's store


def _leave_message(dist: Any, words: str) -> None:
    """For the first rank, which sees only that somebody has gone."""
    with contextlib.suppress(RuntimeError):  # it may be gone itself
        dist.distributed_c10d._get_default_store().set(MESSAGE, words)


def _message_left(dist: Any) -> str:
    """Why another rank has gone, where that one could tell."""
    with contextlib.suppress(RuntimeError):
        store = dist.distributed_c10d._get_default_store()
        return store.get(MESSAGE).decode() if store.check([MESSAGE]) else ""
    return ""


def together(ranks: Ranks, work: Callable[[], T]) -> T:
    """`work()` on every rank. Where it fails on any, it fails on all, before one of them waits for the others."""
    result, error = None, None
    try:
        result = work()
    except Exception as caught:
        if ranks.count == 1:
            raise
        error = caught
    ranks.share(None, error)
    return result  # type: ignore[return-value]


_END: Any = object()


def agreed(ranks: Ranks, items: Iterable[T]) -> Iterator[T]:
    """The items, equally many on every rank. Where the next one fails on any rank, it fails on all."""
    iterator = iter(items)
    while True:
        item, error = _END, None
        try:
            item = next(iterator, _END)
        except Exception as caught:
            if ranks.count == 1:
                raise
            error = caught
        ranks.check(error)
        if item is _END:
            return
        yield item
