"""Work for one process or a hundred machines: jobs that joblib sends where you say.

Taught in the chapter "When one machine is not enough" (`notebooks/many_machines.ipynb`).
"""

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

_ALONE = threading.RLock()  # Keras draws weights from one seed per process: one job at a time


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """A function and all that it needs: a parcel that holds no reference to this process.

    Dask would lend large arguments to one worker, and lose them with it. It keeps a parcel at the
    scheduler, which sends it to another worker: for that it has slots, and goes as one argument.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def run_jobs(jobs: Iterable[Job], at_once: int | None, bar: Any) -> Iterator[Any]:
    """The results of all jobs, in their order, from wherever `joblib.parallel_config` says.

    Parameters
    ----------
    jobs : iterable of Job
        What to do. A generator may stop early.
    at_once : int or None
        Jobs at the same time. None: what ``joblib.parallel_config`` says, otherwise one.
    bar : tqdm.tqdm
        Counts the jobs that are done.

    Yields
    ------
    object
        What the functions return.

    Raises
    ------
    RuntimeError
        If a worker runs Keras on another backend than this process, or is killed.

    Examples
    --------
    >>> from tqdm import tqdm
    >>> jobs = [Job(pow, (number, 2)) for number in range(4)]
    >>> list(run_jobs(jobs, None, tqdm(total=4, disable=True)))
    [0, 1, 4, 9]
    """
    from joblib import Parallel, delayed

    before = bar.n

    class Counted(Parallel):
        def print_progress(self) -> None:  # joblib calls this after each job
            bar.update(before + self.n_completed_tasks - bar.n)

    try:
        parallel = Counted(n_jobs=at_once, return_as="generator")
    except ValueError:  # Ray's backend gives all results together
        parallel = Counted(n_jobs=at_once)
    here = (keras.config.backend(), keras.config.floatx(), keras.config.dtype_policy().name)
    try:
        yield from parallel(delayed(_do)(job, here) for job in jobs)
    except BrokenProcessPool as error:
        raise RuntimeError(
            "A worker process was ended from outside, in most cases because memory ran out. What "
            "was not finished is lost, and nothing is counted twice. Run the same call again with "
            "fewer jobs at the same time: jobs=1 needs the least memory."
        ) from error


def _do(job: Job, wanted: tuple[str, str, str]) -> Any:
    """In a worker: the same Keras as where the job comes from, then the job."""
    backend, floatx, policy = wanted
    if keras.config.backend() != backend:
        raise RuntimeError(
            f"A worker runs Keras on {keras.config.backend()}, and the script on {backend}: they "
            f"would not give the same numbers. Start the workers with KERAS_BACKEND={backend} in "
            f"their environment."
        )
    with _ALONE, _own_draws():
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
        return job.function(*job.arguments)


@contextmanager
def _own_draws() -> Iterator[None]:
    """Keras takes the seeds of its layers from Python's `random`; so nobody else may, meanwhile.

    A worker of Dask does its jobs in a thread, and other threads of it draw from `random` too. Now
    and then one fell between the seed and the weights, and the job had other weights.
    """
    own, before = random.Random(), (random.seed, random.randint)
    random.seed, random.randint = own.seed, own.randint
    try:
        yield
    finally:
        random.seed, random.randint = before
