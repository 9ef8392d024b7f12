"""Training an LSTM: windows per second beside Keras, PyTorch, neuralforecast and darts.

``python benchmarks/training_speed.py`` writes ``benchmarks/results/training_speed.json``. Each way
trains in a process of its own (`peers/training_speed.py`), several turns of it; ratios are those of
one turn, in seconds of computing. Beside it: the rate of a large matrix product in the same minutes,
the share of it that the useful arithmetic reaches, where the time of a step goes, and the ways that
were tried. The peers need their own environment, see ``benchmarks/README.md``. ``--quick`` is a look
of about a minute that writes nothing, without the peers where they are not installed.

On a busy machine all ways run at the same time: what disturbs one disturbs all. ``--quiet`` says that
nothing else runs: then one way follows the other, and Keras, PyTorch and this package are also
measured on the clock with two threads.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import benchmarks.one_core  # noqa: F401  before TensorFlow
from benchmarks.peers.training_speed import WAYS
from benchmarks.record import ROOT, arguments, write

PEERS = ROOT / "build" / "peers" / "bin" / "python"
WORKER = ROOT / "benchmarks" / "peers" / "training_speed.py"
OURS, PLAIN = "tsforecast, fit(fast=True)", "Keras, plain fit"
SIZES = [  # "report": training steps between two returns to Keras, fewer where a step is long
    {
        "name": "a week of hours",
        "batch": 256,
        "lookback": 168,
        "inputs": 8,
        "units": 64,
        "windows": 1280,
        "epochs": 3,
        "our_epochs": 4,
        "torch_steps": 4,
        "report": 10,
    },
    {
        "name": "a day of hours",
        "batch": 256,
        "lookback": 24,
        "inputs": 1,
        "units": 50,
        "windows": 5120,
        "epochs": 3,
        "our_epochs": 6,
        "torch_steps": 40,
        "report": 50,
    },
    {
        "name": "the univariate toy series",
        "batch": 6,
        "lookback": 3,
        "inputs": 1,
        "units": 50,
        "windows": 6,
        "epochs": 40,
        "our_epochs": 200,
        "torch_steps": 60,
        "report": 50,
    },
]
QUICK = {
    "name": "quick",
    "batch": 16,
    "lookback": 6,
    "inputs": 2,
    "units": 4,
    "windows": 64,
    "epochs": 3,
    "our_epochs": 30,
    "torch_steps": 4,
    "report": 50,
}
TURNS, TURNS_OF_LEVERS = 3, 5


def flops(size: dict[str, Any]) -> int:
    """Useful floating-point operations of one window: forward, and twice that for the gradient."""
    step = 8 * size["units"] * (size["inputs"] + size["units"] + 1)
    return 3 * step * size["lookback"]


# --- all ways side by side ----------------------------------------------------------------------------


class Worker:
    """One library in a process of its own, which waits until it is asked."""

    def __init__(self, way: str, threads: int) -> None:
        ours = way.startswith(("Keras", "tsforecast"))
        self.process = subprocess.Popen(
            [sys.executable if ours else str(PEERS), str(WORKER), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"},
        )
        self.way = way

    def ask(self, size: dict[str, Any]) -> None:
        assert self.process.stdin
        print(json.dumps({"way": self.way, "size": size}), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, float]:
        assert self.process.stdout
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.way} stopped: run {WORKER.name} by hand to see why.")
        return json.loads(answer)

    def stop(self) -> None:
        self.process.communicate()


def all_sizes(
    ways: list[str], sizes: list[dict[str, Any]], threads: int, turns: int, quiet: bool = False
) -> list[dict[str, Any]]:
    """`in_turns` for several sizes, with the same processes."""
    workers = [Worker(way, threads) for way in ways]
    try:
        return [in_turns(workers, size, threads, turns, quiet) for size in sizes]
    finally:
        for worker in workers:
            worker.stop()


def in_turns(
    workers: list[Worker], size: dict[str, Any], threads: int, turns: int, quiet: bool
) -> dict[str, Any]:
    """Windows per second of every way, one number per turn, and the matrix rate of each turn."""
    cpu: dict[str, list[float]] = {worker.way: [] for worker in workers}
    wall: dict[str, list[float]] = {worker.way: [] for worker in workers}
    rates = []
    for turn in range(turns):
        if not quiet:  # all at once: what disturbs one disturbs all
            for worker in workers:
                worker.ask(size)
        rates.append(matrix_rate())
        for worker in workers:
            if quiet:
                worker.ask(size)
            took = worker.answer()
            cpu[worker.way].append(size["batch"] / took["cpu_s"])
            wall[worker.way].append(size["batch"] / took["wall_s"])
            print(size["name"], threads, turn, worker.way, took, flush=True)
    found: dict[str, Any] = {
        "size": size,
        "threads": threads,
        "useful_mflop_per_window": flops(size) / 1e6,
        "matrix_gflop_per_cpu_second": rates,
    }
    if threads > 1:
        return found | {"per_second": wall, "ratios": ratios(wall)}
    found |= {"per_cpu_second": cpu, "ratios": ratios(cpu)}
    found["share_of_matrix_rate"] = {
        way: statistics.median(
            rate * flops(size) / 1e9 / matrix for rate, matrix in zip(per, rates, strict=True)
        )
        for way, per in cpu.items()
    }
    return found


def ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Ours over each other way, by turns: median, least and most."""
    found = {}
    for way, others in rates.items():
        if way != OURS:
            turns = [a / b for a, b in zip(rates[OURS], others, strict=True)]
            found[way] = [statistics.median(turns), min(turns), max(turns)]
    return found


def matrix_rate(rows: int = 2048) -> float:
    """10^9 operations per second of computing of a large product in TensorFlow, on one core."""
    import tensorflow as tf

    a = tf.random.normal((rows, rows))
    tf.matmul(a, a).numpy()
    begun = time.process_time()
    for _ in range(3):
        tf.matmul(a, a).numpy()
    return 3 * 2 * rows**3 / 1e9 / (time.process_time() - begun)


# --- what was tried, and where the time goes ------------------------------------------------------


def own_loop(x: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
    """A loop over the steps with the products of the inputs ahead of it, and its own gradient.

    x : (time, batch, inputs)  ->  (batch, units). The gradient's loop has one product per step; the
    gradients of the weights are one product each, after it.
    """
    import tensorflow as tf

    steps, batch, inputs = x.shape
    units = recurrent.shape[0]

    def store(width: int) -> Any:
        return tf.TensorArray(tf.float32, steps, element_shape=(batch, width))

    @tf.custom_gradient
    def run(x: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
        flat = tf.reshape(x, (-1, inputs))
        ahead = tf.reshape(tf.matmul(flat, weights) + bias, (steps, batch, 4 * units))
        zero = tf.zeros((batch, units))

        def forward(t: Any, h: Any, c: Any, gates: Any, hs: Any, cs: Any) -> Any:
            hs, cs = hs.write(t, h), cs.write(t, c)
            i, f, g, o = tf.split(ahead[t] + tf.matmul(h, recurrent), 4, axis=1)
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            c = f * c + i * g
            gates = gates.write(t, tf.concat([i, f, g, o], axis=1))
            return t + 1, o * tf.tanh(c), c, gates, hs, cs

        start = (0, zero, zero, store(4 * units), store(units), store(units))
        _, h, c, gates, hs, cs = tf.while_loop(
            lambda t, *_: t < steps, forward, start, maximum_iterations=steps
        )
        gates, hs, cs = gates.stack(), hs.stack(), cs.stack()

        def gradient(dh: Any) -> Any:
            transposed = tf.transpose(recurrent)

            def backward(t: Any, dh: Any, dc: Any, after: Any, kept: Any) -> Any:
                i, f, g, o = tf.split(gates[t], 4, axis=1)
                before, out = cs[t], tf.tanh(after)
                dc += dh * o * (1 - out * out)
                parts = [
                    *(dc * g * i * (1 - i), dc * before * f * (1 - f)),
                    *(dc * i * (1 - g * g), dh * out * o * (1 - o)),
                ]
                d = tf.concat(parts, axis=1)
                return t - 1, tf.matmul(d, transposed), dc * f, before, kept.write(t, d)

            begin = (steps - 1, dh, zero, c, store(4 * units))
            *_, kept = tf.while_loop(
                lambda t, *_: t >= 0, backward, begin, maximum_iterations=steps
            )
            d = tf.reshape(kept.stack(), (-1, 4 * units))
            return (
                None,
                tf.matmul(flat, d, transpose_a=True),
                tf.matmul(tf.reshape(hs, (-1, units)), d, transpose_a=True),
                tf.reduce_sum(d, axis=0),
            )

        return h, gradient

    return run(x, weights, recurrent, bias)


def levers(size: dict[str, Any], turns: int) -> dict[str, Any]:
    """Milliseconds of computing of the LSTM alone, output and gradient, in several ways."""
    import tensorflow as tf
    from keras import layers

    import tsforecast.layers
    from tsforecast.layers import fused_lstms

    units, inputs, steps, batch = (size[k] for k in ("units", "inputs", "lookback", "batch"))
    x = tf.random.normal((batch, steps, inputs))
    lstm = layers.LSTM(units)
    lstm.build(x.shape)
    kernel, recurrent, bias = parts = [weight.value for weight in lstm.trainable_variables]

    def fused(compile_from: int) -> Callable[[Any], Any]:
        def call(x: Any) -> Any:
            tsforecast.layers.COMPILE_FROM = compile_from
            with fused_lstms([lstm], batch):
                return lstm(x)

        return call

    def ahead(x: Any) -> Any:
        return own_loop(tf.transpose(x, (1, 0, 2)), kernel, recurrent, bias)

    def step_of(call: Callable[[Any], Any], compiled: bool = False) -> Callable[[], Any]:
        @tf.function(jit_compile=compiled)
        def step(x: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(call(x) ** 2)
            return tape.gradient(loss, parts)

        return lambda: step(x)[-1].numpy()

    ways = {
        "Keras's loop": step_of(lstm),
        "Keras's loop, compiled by XLA": step_of(lstm, compiled=True),
        "own loop, products of the inputs ahead": step_of(ahead),
        "own loop, compiled by XLA": step_of(ahead, compiled=True),
        "TensorFlow's fused operation, its gradient too": step_of(fused(10**9)),
        "TensorFlow's fused operation, our gradient by XLA": step_of(fused(0)),
    }
    known = tsforecast.layers.COMPILE_FROM  # read when a way is first called
    first = [step() for step in ways.values()]
    off = [float(abs(other - first[0]).max() / abs(first[0]).max()) for other in first]
    tsforecast.layers.COMPILE_FROM = known
    times = take_turns(ways, turns)
    return {
        "size": size["name"],
        "cpu_ms": {name: [1e3 * t for t in taken] for name, taken in times.items()},
        "relative_difference_of_gradient": dict(zip(ways, off, strict=True)),
    }


def profile(size: dict[str, Any], turns: int) -> dict[str, Any]:
    """Milliseconds of computing of the parts of a fused step, and of what they cannot do without."""
    import tensorflow as tf

    from tsforecast.layers import lstm_gradient

    units, inputs, steps, batch = (size[k] for k in ("units", "inputs", "lookback", "batch"))
    x, dh = tf.random.normal((steps, batch, inputs)), tf.random.normal((steps, batch, units))
    zero, none = tf.zeros((batch, units)), tf.zeros(units)
    both = tf.random.normal((inputs + units, 4 * units)) / units
    read = {"seq_len_max": tf.constant(steps, tf.int64), "x": x, "h_prev": zero, "cs_prev": zero}
    read |= {"w": both, "b": tf.zeros(4 * units), "wci": none, "wcf": none, "wco": none}
    read["use_peephole"] = False

    def forward() -> Any:
        return tf.raw_ops.BlockLSTMV2(**read, cell_clip=0.0)

    kept = forward()._asdict()

    def backward() -> Any:
        return tf.raw_ops.BlockLSTMGradV2(
            **read, **kept, h_grad=dh, cs_grad=tf.zeros((steps, batch, units))
        )

    @tf.function(jit_compile=True)
    def compiled() -> Any:
        given = (read["x"], zero, zero, both, kept, dh, zero)
        return lstm_gradient(*given)

    row, gates = tf.random.normal((batch, inputs + units)), tf.random.normal((batch, 4 * units))
    across = tf.transpose(both)

    @tf.function
    def products_forward() -> Any:
        state = row
        for _ in range(steps):
            state = row + 1e-3 * tf.matmul(state, both)[:, : inputs + units]
        return state

    @tf.function
    def products_backward() -> Any:
        d, total = gates, tf.zeros_like(both)
        for _ in range(steps):
            state = tf.matmul(d, across)
            total += tf.matmul(row, d, transpose_a=True)
            d = gates + 1e-3 * state[:, :1]
        return d, total

    @tf.function
    def activations() -> Any:
        z = gates
        for _ in range(steps):
            z = tf.concat([tf.sigmoid(z[:, : 3 * units]), tf.tanh(z[:, 3 * units :])], axis=1)
        return z

    ways = {
        "forward, the operation": lambda: forward().h.numpy(),
        "forward, its products alone": lambda: products_forward().numpy(),
        "forward, its sigmoids and tanhs alone": lambda: activations().numpy(),
        "gradient, the operation": lambda: backward().w_grad.numpy(),
        "gradient, compiled by XLA": lambda: compiled()[-1].numpy(),
        "gradient, its products alone": lambda: products_backward()[1].numpy(),
    }
    for call in ways.values():
        call()
    times = take_turns(ways, turns)
    matrix = matrix_rate()
    floor = flops(size) * batch / matrix / 1e9
    return {
        "size": size["name"],
        "cpu_ms": {name: [1e3 * t for t in taken] for name, taken in times.items()},
        "useful_arithmetic_at_the_matrix_rate_ms": 1e3 * floor,
    }


def take_turns(ways: dict[str, Callable[[], Any]], turns: int) -> dict[str, list[float]]:
    """Seconds of computing of every way, one number per turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, call in ways.items():
            begun = time.process_time()
            call()
            times[name].append(time.process_time() - begun)
    return times


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--quiet", action="store_true", help="nothing else runs on the machine")
    given = parser.parse_args()
    quick, peers = given.quick, PEERS.exists()
    ways = [way for way in WAYS if peers or way.startswith(("Keras", "tsforecast"))]
    if quick:
        (found,) = all_sizes(ways, [QUICK], 1, 1)
        print(found["ratios"], found["share_of_matrix_rate"])
        print(levers(QUICK, 1)["cpu_ms"], profile(QUICK, 1)["cpu_ms"])
        return 0
    if not peers:
        raise SystemExit("The peers are not installed: see benchmarks/README.md, then run again.")
    two = [PLAIN, OURS, "PyTorch, plain loop"]
    results = {
        "what": "one LSTM layer and a Dense, squared error, Adam: steps of training",
        "levers": [levers(size, TURNS_OF_LEVERS) for size in SIZES[:1]],
        "profile": [profile(size, TURNS_OF_LEVERS) for size in SIZES[:1]],
        "one_thread": all_sizes(ways, SIZES, 1, TURNS, given.quiet),
        "two_threads": all_sizes(two, SIZES, 2, TURNS, True) if given.quiet else [],
        "one_after_the_other": given.quiet,
        "peers": versions_of_peers(),
        "remarks": [
            "The numbers of one thread count seconds of computing, because other work may run on "
            "the machine at the same time. Those of two threads are on the clock and need a quiet "
            "machine: an empty list means that there was none.",
            "neuralforecast has a hidden layer in its decoder that the others do not have, and "
            "draws its windows at random; darts and neuralforecast train through Lightning.",
        ],
    }
    write("training_speed", __file__, results)
    return 0


def versions_of_peers() -> dict[str, str]:
    names = ["torch", "pytorch-lightning", "neuralforecast", "darts"]
    ask = f"import importlib.metadata as m; print(*[m.version(name) for name in {names}])"
    answer = subprocess.run([str(PEERS), "-c", ask], capture_output=True, text=True, check=True)
    return dict(zip(names, answer.stdout.split(), strict=True))


if __name__ == "__main__":
    sys.exit(main())
