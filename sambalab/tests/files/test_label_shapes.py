"""Regions, outlines and run lengths of random class ids, against scikit-image and pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask
from skimage.measure import label

from sambalab.files.exports import rle
from sambalab.files.exports.regions import fill_polygon, outline, regions


def whole(region, shape):
    mask = np.zeros(shape, bool)
    rows, columns = region.mask.shape
    mask[region.row : region.row + rows, region.column : region.column + columns] = region.mask
    return mask


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("seed", range(60))
def test_regions_are_those_of_scikit_image_and_pycocotools_reads_their_shapes(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(side) for side in rng.integers(1, 25, 2))
    ids = rng.integers(0, rng.integers(2, 5), shape).astype(np.uint8)
    found = list(regions(ids))
    assert len(found) == label(ids, connectivity=1, background=0).max()
    drawn = np.zeros_like(ids)
    for region in found:
        mask = whole(region, shape)
        assert not drawn[mask].any()
        drawn[mask] = region.id
        counts = rle.encode(region.mask, region.row, region.column, *shape)
        np.testing.assert_array_equal(rle.decode(counts, *shape), mask)
        packed = coco_mask.frPyObjects({"size": list(shape), "counts": counts}, *shape)
        np.testing.assert_array_equal(coco_mask.decode(packed), mask)
        assert rle.unpack(packed["counts"].decode()) == counts
        # Pixels of the background within the box that do not reach its rim by their sides or corners are holes.
        holes = label(np.pad(~region.mask, 1, constant_values=True), connectivity=2).max() - 1
        corners = outline(region.mask)
        assert (corners is None) == (holes > 0)
        if corners is not None:
            points = np.reshape(corners, (-1, 2)) + np.array([region.column, region.row], float)
            np.testing.assert_array_equal(fill_polygon(points, *shape), mask)
            drawn_there = coco_mask.decode(coco_mask.frPyObjects([points.ravel().tolist()], *shape))[..., 0]
            np.testing.assert_array_equal(drawn_there, mask)
    np.testing.assert_array_equal(drawn, ids)


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_filled_by_the_centres_of_their_pixels(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5, 35, (int(rng.integers(3, 9)), 2))
    # scikit-image: rows first, and the centre of a pixel is at whole numbers.
    expected = polygon2mask((25, 30), points[:, ::-1] - 0.5)
    np.testing.assert_array_equal(fill_polygon(points, 25, 30), expected)


@pytest.mark.parametrize("counts", [[5], [-1, 7], [2.5, 3.5], [0, 0]])
def test_run_lengths_of_another_size_are_refused(counts):
    with pytest.raises(ValueError, match="do not add up to 2 × 3"):
        rle.decode(counts, 2, 3)
