"""The package on Keras's other backends: its unit tests again, where one is installed.

A backend is chosen when Keras is imported, so each runs in a process of its own. They take many
minutes, so they run where ``TEST_BACKENDS=jax`` (or ``torch``, or ``jax,torch``) asks for them:
``pip install jax`` or ``pip install torch`` brings a backend in.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = {  # JAX compiles every model anew: one framing, which has all kinds of columns
    "every encoder with every decoder": [
        "tests/test_models.py",
        "-k",
        "every_combination and kinds",
    ],
    "models by hand": ["tests/test_models.py", "-k", "hand or own_forecast or reads or batch_size"],
    "layers": ["tests/test_layers.py"],
    "training": ["tests/test_training.py", "-k", "seed or keras or best or very_different"],
    "heads": ["tests/test_heads.py", "-k", "attention or by_hand or of_another or learned"],
    "forecaster": ["tests/test_forecaster.py", "-k", "not encoder"],
}


@pytest.mark.parametrize("tests", TESTS.values(), ids=TESTS)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_unit_tests_pass_on(backend, tests):
    if backend not in os.environ.get("TEST_BACKENDS", "").split(","):
        pytest.skip(f"takes minutes: TEST_BACKENDS={backend} runs it")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    result = subprocess.run(
        [*command, *tests], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-5000:]
