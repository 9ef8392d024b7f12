"""Repeat every recorded measurement: ``python -m benchmarks``. Long; each script also runs alone."""

import subprocess
import sys
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("[!_]*.py")):
    print(f"==> {script.name}", flush=True)
    subprocess.run([sys.executable, str(script)], check=True)
