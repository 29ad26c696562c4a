"""Objects carried through a stack whose truth is known: prints their overlap (IoU) by the distance from the clicked slice.

Forty slices of 256 × 320 pixels with noise hold ellipsoids that do not touch, most of them oblique. Each is carried from its
middle slice, from the centre of its pixels there.
"""

import json

import numpy as np

import sambalab as sl

SHAPE = (40, 256, 320)


def main() -> None:
    """Make the stack, carry its objects, and print what came out."""
    random = np.random.default_rng(11)
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    image = random.normal(85, 12, SHAPE)
    objects = []
    for _ in range(8):
        middle = 12 + 16 * random.random()
        row, column, radius = 40 + 176 * random.random(), 40 + 240 * random.random(), 14 + 12 * random.random()
        flat = radius / (8 + 6 * random.random())
        down, across = random.normal(0, 1.2, 2)
        away = z - middle
        inside = (away * flat) ** 2 + (y - row - down * away) ** 2 + (x - column - across * away) ** 2 <= radius**2
        if not any((inside & other).any() for other, _ in objects):
            image[inside] += 70
            objects.append((inside, round(middle)))
    lab = sl.Labeller(image.clip(0, 255).astype(np.uint8), name="carried", fresh=True)
    overlaps: dict[int, list[float]] = {}
    early = []
    for truth, middle in objects:
        there = np.flatnonzero(truth.any((1, 2)))
        row, column = np.argwhere(truth[middle]).mean(0)
        found = lab.carry(float(row), float(column), slice=middle)
        early += [int(found.slices.start - there[0]), int(there[-1] - (found.slices.stop - 1))]
        for number, mask in zip(found.slices, found.masks, strict=True):
            own = truth[number]
            overlaps.setdefault(abs(number - middle), []).append(float((mask & own).sum() / (mask | own).sum()))
    lab.close()
    print(json.dumps({"objects": len(objects), "early": early, "overlaps": overlaps}))


if __name__ == "__main__":
    main()
