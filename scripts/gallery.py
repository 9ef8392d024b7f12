"""Draw the six encoders and the six decoders for the page "Which template do I need?".

    python scripts/gallery.py

Writes `book/_static/models/NAME.png`, one for each. `tests/test_figures.py` draws them again and
compares, so run this after a change of a model or of its picture.
"""

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

import tsforecast as tsf
from tsforecast.models import DECODERS, ENCODERS

FOLDER = Path(__file__).resolve().parents[1] / "book" / "_static" / "models"
FRAMING = tsf.Framing(lookback=12, horizon=6, targets="y")  # a year of months in, half a year out
SIZES = {"cnn": {"subsequences": 3, "filters": 16}, "convlstm": {"subsequences": 3}}
SIZES |= {"patched": {"patch": 4}, "patchwise": {"patch": 3}}


def draw(name: str) -> bytes:
    """The picture of an encoder with the vector decoder, or of a decoder with the vanilla encoder."""
    part = "encoder" if name in ENCODERS else "decoder"
    chosen = {part: name} | SIZES.get(name, {})
    model = tsf.build_model(FRAMING, units=32, scaling="none", **chosen)
    file, small = io.BytesIO(), io.BytesIO()
    with plt.rc_context():
        plt.rcdefaults()
        tsf.use_style()
        figure = tsf.plot_model(model).figure
        figure.savefig(file, dpi=110)
        plt.close(figure)
    Image.open(file).convert("RGB").quantize(64).save(small, "png", optimize=True)  # a third
    return small.getvalue()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in [*ENCODERS, *DECODERS]:
        (FOLDER / f"{name}.png").write_bytes(draw(name))


if __name__ == "__main__":
    main()
