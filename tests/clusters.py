"""A cluster on this machine, for tests: ``python tests/clusters.py dask`` (or ``ray``).

A scheduler (or head) and two workers, each a process of its own, on loopback. Prints the address
when all are ready. Each line on standard input kills a worker (SIGKILL, no farewell); the end of
standard input ends everything, also when the test that started it was killed.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable

import psutil

# Ray would use the machine's address in the network; this keeps it on loopback. A lost node is
# noticed in seconds.
RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else a worker stands still beside other tests
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "5",
}


def dask_cluster(folder: str, exits: contextlib.ExitStack) -> tuple[str, Callable[[], None]]:
    os.environ["DASK_TEMPORARY_DIRECTORY"] = folder
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        exits.callback(process.wait)
        exits.callback(process.kill)
        return process

    def worker() -> subprocess.Popen[bytes]:
        own = ["--nthreads=1", "--no-nanny", "--host=127.0.0.1", f"--local-directory={folder}"]
        return start("worker", address, *own, "--death-timeout=60")

    start("scheduler", "--host=127.0.0.1", f"--port={address.rpartition(':')[2]}")
    workers = [worker(), worker()]
    with Client(address, timeout="120s") as client:
        client.wait_for_workers(len(workers), timeout=120)

    def kill() -> None:
        workers.pop(0).kill()
        workers.append(worker())  # as a cluster's manager does

    return address, kill


def ray_cluster(folder: str, exits: contextlib.ExitStack) -> tuple[str, Callable[[], None]]:
    os.environ |= RAY | {"RAY_TMPDIR": folder}
    os.mkdir(f"{folder}/ray")
    from ray.cluster_utils import Cluster

    local = {"node_ip_address": "127.0.0.1", "object_store_memory": 100_000_000}
    cluster = Cluster()
    exits.callback(cluster.shutdown)
    cluster.add_node(num_cpus=0, include_dashboard=False, **local)  # the head, which does no jobs
    workers = [cluster.add_node(num_cpus=2, **local) for _ in range(2)]

    def kill() -> None:
        node = workers.pop()
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for process in [raylet, *raylet.children(recursive=True)]:
            process.kill()
        cluster.remove_node(node, allow_graceful=False)
        workers.insert(0, cluster.add_node(num_cpus=2, **local))  # as a cluster's manager does

    return cluster.address, kill


def main() -> None:
    start = {"dask": dask_cluster, "ray": ray_cluster}[sys.argv[1]]
    for attempt in range(3):  # on a busy machine Ray's own timeouts may be too short
        folder = tempfile.mkdtemp(prefix="ray")  # a short path: sockets have names of 107 letters
        with contextlib.ExitStack() as exits:
            exits.callback(shutil.rmtree, folder, ignore_errors=True)
            try:
                address, kill = start(folder, exits)
            except Exception as problem:
                print(f"attempt {attempt + 1} failed: {problem}", file=sys.stderr)
                continue
            print(address, flush=True)
            for _ in sys.stdin:
                kill()
            return
    sys.exit(f"no {sys.argv[1]} cluster")


if __name__ == "__main__":
    main()
