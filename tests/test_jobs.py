"""Jobs: the same results in their order, whoever does them."""

import io
import pickle
import random
import sys
import threading
import weakref

import joblib
import keras
import pytest
from joblib.parallel import ThreadingBackend
from tqdm import tqdm

import tsforecast as tsf
from tsforecast.jobs import Job, _do, run_jobs


class AllAtTheEnd(ThreadingBackend):
    """As Ray's backend: it cannot give results one by one."""

    supports_return_generator = False


PLACES = {
    "nothing said": {},
    "one": {"backend": "loky", "n_jobs": 1},
    "threads": {"backend": "threading", "n_jobs": 2},
    "processes": {"backend": "loky", "n_jobs": 2},
    "all at the end": {"backend": AllAtTheEnd(), "n_jobs": 2},
}


def squares(count, at_once=None, file=None):
    with tqdm(total=count, file=file, mininterval=0, disable=file is None) as bar:
        return list(run_jobs((Job(pow, (n, 2)) for n in range(count)), at_once, bar))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_results_come_in_order_and_the_bar_counts_them(place):
    file = io.StringIO()
    with joblib.parallel_config(**place):
        assert squares(7, file=file) == [0, 1, 4, 9, 16, 25, 36]
    assert "7/7" in file.getvalue()


def test_what_the_call_says_comes_before_the_configuration():
    with joblib.parallel_config(backend="threading", n_jobs=2):
        names = [Job(lambda: threading.current_thread().name, ())] * 3
        assert set(run_jobs(names, 1, tqdm(disable=True))) == {"MainThread"}
        assert "MainThread" not in set(run_jobs(names, None, tqdm(disable=True)))


def test_a_job_goes_as_one_parcel():
    """What Dask and Ray would take apart, and lose with a worker, is what these two tests find."""
    job = Job(pow, (2, 3))
    with pytest.raises(TypeError, match="weak reference"):
        weakref.ref(job)
    assert sys.getsizeof(job) < 100
    again = pickle.loads(pickle.dumps(job))
    assert (again.function, again.arguments) == (pow, (2, 3))


def test_a_function_that_says_tsf_can_be_sent():
    assert pickle.loads(pickle.dumps(tsf)) is tsf


def test_workers_with_another_backend_are_refused():
    with pytest.raises(RuntimeError, match="KERAS_BACKEND=other"):
        _do(Job(pow, (2, 3)), ("other", "float32", "float32"))


def test_workers_take_over_the_policy():
    was = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        jobs = [Job(lambda: keras.config.dtype_policy().name, ())] * 2
        assert list(run_jobs(jobs, 2, tqdm(disable=True))) == ["float64"] * 2
    finally:
        keras.config.set_dtype_policy(was)


def draw(seed):
    """The seeds that Keras gives to the layers of a model, as far as they can be seen."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(1) for _ in range(20)]
    for layer in layers:
        layer.build((None, 1))
    return [float(layer.kernel.numpy()[0, 0]) for layer in layers]


def test_threads_that_draw_do_not_change_the_weights():
    """Dask's own threads draw from `random`, which is where Keras has its seeds from."""
    alone, stop = draw(3), threading.Event()

    def disturb():
        while not stop.is_set():
            random.random()

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        jobs = [Job(draw, (3,))] * 10
        with joblib.parallel_config(backend="threading", n_jobs=2):
            assert list(run_jobs(jobs, None, tqdm(disable=True))) == [alone] * 10
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(switch)
