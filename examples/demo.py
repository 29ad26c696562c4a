"""Execute the quickstart notebook without a browser, then segment a synthetic micrograph and measure the result.

Run by ``npm run demo``. Writes to ``examples/out``: the executed notebook, its figure, the segmentation as raw class ids.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from numpy.typing import NDArray
from PIL import Image

import sambalab as sl

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"

#: Labels as a user draws them in the quickstart notebook: SAM's suggestions in pores, strokes on ligaments.
LABELS_FROM_A_SCRIPT = """
labels = np.zeros(image.shape, np.uint8)
for row, col in [(152, 470), (218, 500), (285, 515), (236, 650), (320, 853), (636, 803), (188, 72), (413, 102), (594, 547)]:
    masks, scores = lab.suggest(row, col)
    scores[masks.mean((1, 2)) > 0.5] = 0  # a mask of most of the image is no pore
    labels[masks[scores.argmax()] & (labels == 0)] = 1
strokes = [(60, 150, 20, 190), (140, 620, 150, 540), (420, 180, 440, 230), (560, 690, 600, 640)]
for row0, col0, row1, col1 in strokes:
    for t in np.linspace(0, 1, 100):
        row, col = round(row0 + t * (row1 - row0)), round(col0 + t * (col1 - col0))
        stroke = labels[row - 3 : row + 4, col - 3 : col + 4]
        stroke[stroke == 0] = 2
lab.set_labels(labels)
"""

SAVE = """
from PIL import Image
Image.fromarray(np.asarray(lab.segmentation)).save("{path}")
lab.close()
"""


def run_quickstart() -> None:
    """Execute ``quickstart.ipynb`` with labels from a script, and write its results."""
    notebook = nbformat.read(HERE / "quickstart.ipynb", as_version=4)
    at = next(i for i, cell in enumerate(notebook.cells) if "label" in cell.metadata.get("tags", []))
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(LABELS_FROM_A_SCRIPT))
    save = SAVE.format(path=(OUT / "quickstart_segmentation.png").as_posix())
    notebook.cells.append(nbformat.v4.new_code_cell(save))
    # Always in the same folder, so that a second run finds the session of the first.
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(OUT)}}).execute()
    nbformat.write(notebook, OUT / "quickstart.ipynb")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stdout":
                # Of a line that was overwritten, print the last text, as a terminal does.
                print("\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in output.text.split("\n")), end="")
            elif "image/png" in output.get("data", {}):
                (OUT / "quickstart_figure.png").write_bytes(base64.b64decode(output.data["image/png"]))


def draw_strokes(
    truth: NDArray[np.uint8], strokes: int, length: int, radius: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Short straight strokes within each class of ``truth``, as a user would paint them.

    Parameters
    ----------
    truth
        Class ids, uint8 (rows, columns).
    strokes
        Strokes a class.
    length, radius
        Of a stroke, in pixels.
    rng
        Where they lie and point.

    Returns
    -------
    uint8 (rows, columns), 0 where nothing was painted.
    """
    labels = np.zeros_like(truth)
    for class_id in np.unique(truth):
        inside = np.argwhere(truth == class_id)
        for row, col in inside[rng.integers(len(inside), size=strokes)]:
            angle = rng.uniform(0, np.pi)
            for step in range(length):
                r, c = round(row + step * np.sin(angle)), round(col + step * np.cos(angle))
                window = np.s_[max(r - radius, 0) : r + radius + 1, max(c - radius, 0) : c + radius + 1]
                labels[window][truth[window] == class_id] = class_id
    return labels


def run_synthetic() -> None:
    """Segment a synthetic micrograph from three strokes a class and print Dice against its exact truth."""
    image, truth = sl.data.micrograph("particles", (512, 512), seed=1)
    names = [f"phase {class_id}" for class_id in range(1, int(truth.max()) + 1)]
    lab = sl.Labeller(image, classes=names, name="demo: synthetic particles", fresh=True)
    lab.set_labels(draw_strokes(truth, strokes=3, length=20, radius=2, rng=np.random.default_rng(1)))
    start = time.perf_counter()
    lab.train()
    segmentation = np.asarray(lab.segmentation)
    print(f"\nsynthetic micrograph, {np.count_nonzero(lab.labels)} labelled pixels of {truth.size},", end=" ")
    print(f"trained and segmented in {time.perf_counter() - start:.1f} s")
    for class_id, name in enumerate(names, start=1):
        found, true = segmentation == class_id, truth == class_id
        dice = 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))
        print(f"  Dice of {name}: {dice:.3f}")
    Image.fromarray(segmentation).save(OUT / "synthetic_segmentation.png")
    lab.close()


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    run_quickstart()
    run_synthetic()
    print(f"\nResults are in {OUT.relative_to(HERE.parent)}")
