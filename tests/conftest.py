"""What every test of the package shares."""

import os

# Before anything imports matplotlib, Keras or TensorFlow.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
