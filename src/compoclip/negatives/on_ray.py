"""The same shards on a Ray cluster (extra `ray`).

Every actor keeps its parser, takes captions and gives back the shard's file, byte for byte. Only the driver writes: on
a cluster its disk is the one that is sure to be there, and resuming works as it does on one machine.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from compoclip.errors import InputError, RunError
from compoclip.negatives.shards import BuildPlan, Job, Shard, ShardMaker, import_parser_alone, write

AHEAD = 2  # shards that an actor has: one in work, one waiting
TRIES = 3  # workers that may die over one shard
OBJECT_STORE = 512 * 2**20  # bytes, of a Ray started here; shards in flight take a few megabytes


def need_ray() -> Any:
    """The package. Raises InputError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported; nothing is to be sent home
    try:
        import ray
    except ImportError:
        raise InputError("--engine ray needs Ray: pip install 'compoclip[ray]'") from None
    return ray


class Worker:
    """What runs in an actor."""

    def __init__(self, plan: BuildPlan, versions: Callable[[str | None], dict[str, str]]) -> None:
        self.plan, self._versions = plan, versions
        self._maker: ShardMaker | None = None

    def versions(self) -> dict[str, str]:
        return self._versions(self.plan.parser)

    def make(self, job: Job) -> Shard:
        if self._maker is None:
            import_parser_alone(self.plan.parser)
            self._maker = ShardMaker(self.plan)
        return self._maker.make(job)


def run_ray(
    jobs: Iterator[Job],
    plan: BuildPlan,
    out: Path,
    workers: int,
    versions: Callable[[str | None], dict[str, str]],
    address: str | None = None,
) -> Iterator[int]:
    """Make shards on the cluster at `address` and write them here; their numbers come back as they are done.

    address: default what the process is connected to, else the variable RAY_ADDRESS, else a Ray started here for the
    build with `workers` processors. Raises InputError where a machine of the cluster has other versions than this one,
    RunError where the cluster cannot be reached or three workers have died over one shard and nothing else.
    """
    ray = need_ray()
    with _connected(ray, address, workers):
        yield from _run(ray, jobs, plan, out, workers, versions)


@contextlib.contextmanager
def _connected(ray: Any, address: str | None, workers: int) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    quiet: dict[str, Any] = {"ignore_reinit_error": True, "log_to_driver": False, "logging_level": "error"}
    if address == "local":
        quiet |= {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    try:
        ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises its own, and those of sockets, gRPC and its start-up scripts
        raise RunError(f"no Ray at {address} ({str(error).strip().splitlines()[0]}); check --ray-address") from None
    try:
        yield
    finally:
        ray.shutdown()


def _run(
    ray: Any,
    jobs: Iterator[Job],
    plan: BuildPlan,
    out: Path,
    workers: int,
    versions: Callable[[str | None], dict[str, str]],
) -> Iterator[int]:
    shared = ray.put(plan)
    make_actor = ray.remote(num_cpus=1)(Worker).remote
    actors = [make_actor(shared, versions) for _ in range(workers)]
    suspects: deque[Job] = deque()  # each was with a worker that died; alone with the next one, the guilty shard shows
    failures: dict[int, int] = {}
    flying: dict[Any, tuple[int, Job]] = {}  # reference -> place in `actors`, job
    try:
        _same_versions(ray, actors, versions(plan.parser))
        while True:
            for held in range(AHEAD):
                for place, actor in enumerate(actors):
                    with_it = [job for p, job in flying.values() if p == place]
                    if len(with_it) > held or any(job.number in failures for job in with_it):
                        continue
                    job = (suspects.popleft() if suspects and not with_it else None) or next(jobs, None)
                    if job is not None:
                        flying[actor.make.remote(job)] = (place, job)
            if not flying:
                return
            [done], _ = ray.wait(list(flying), num_returns=1)
            place, job = flying.pop(done)
            try:
                shard = ray.get(done)
            except (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError):
                lost = [reference for reference, (p, _) in flying.items() if p == place]
                failures[job.number] = failures.get(job.number, 0) + (not lost)
                if failures[job.number] >= TRIES:
                    raise RunError(
                        f"{TRIES} workers died over shard {job.number} (out of memory?); run again with --resume and "
                        "fewer --workers"
                    ) from None
                for other in [job, *(flying.pop(reference)[1] for reference in lost)]:
                    failures.setdefault(other.number, 0)
                    suspects.append(other)
                actors[place] = make_actor(shared, versions)
                continue
            except ray.exceptions.RayTaskError as error:
                raise _plain(error) from None
            write(out, job.number, shard)
            yield job.number
    finally:
        for actor in actors:
            ray.kill(actor)


def _same_versions(ray: Any, actors: list[Any], here: dict[str, str]) -> None:
    """Other versions would make other negatives, and nobody could say which machine had made which."""
    try:
        answers = ray.get([actor.versions.remote() for actor in actors])
    except ray.exceptions.RayTaskError as error:
        raise _plain(error) from None
    except ray.exceptions.RayError as error:
        raise RunError(f"the Ray workers do not start ({str(error).strip().splitlines()[0]})") from None
    for there in answers:
        other = [
            f"{name} {there.get(name)}, here {version}" for name, version in here.items() if there.get(name) != version
        ]
        if other:
            raise InputError(f"a machine of the Ray cluster has {'; '.join(other)}: install the same on all")


def _plain(error: Any) -> Exception:
    """What was raised in the worker, without Ray's account of it."""
    cause = error.cause
    if isinstance(cause, (InputError, RunError)):
        return cause
    return RunError(f"a Ray worker failed: {type(cause).__name__}: {str(cause).strip().splitlines()[:1]}")
