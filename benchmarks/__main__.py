"""Repeat every recorded measurement: ``python -m benchmarks``. Long; each script also runs alone.

``python -m benchmarks m4 etth1`` repeats some. Scripts that are not there yet are left out.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPTS = (
    "tutorial",
    "fit_speed",
    "published_checks",
    "m4",
    "etth1",
    "demand",
    "architectures",
    "learning_curve",
    "learning_curve_demand",
    "many_machines",
    "windows_speed",
    "fuzzing",
    "faults",
    "forecast_speed",
    "growth",
    "gpu_speed",
    "training_speed",
    "mutation",
    "matrix",
)


def main(wanted: list[str]) -> int:
    unknown = sorted(set(wanted) - set(SCRIPTS))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(SCRIPTS)}")
        return 2
    for name in wanted or SCRIPTS:
        script = FOLDER / f"{name}.py"
        if script.exists():
            print(f"==> {script.name}", flush=True)
            subprocess.run([sys.executable, str(script)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
