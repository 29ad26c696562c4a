"""Labels and results in files: what other programs read of them, and what comes back."""

import errno
import json
import os
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import skimage.io
import tifffile
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import sambalab as sl
from sambalab.files.images import prepare

from .conftest import SAMBA

pytestmark = [
    pytest.mark.usefixtures("sidecar_dirs"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of pycocotools
]

NAMES = {"Poren · 孔": "#ff8000", "γ′-Phase <&>": "#0080ff", "µ": "#123456"}
COLORS = np.array([[0, 0, 0], [0xFF, 0x80, 0], [0, 0x80, 0xFF], [0x12, 0x34, 0x56]], np.uint8)
SHAPES = [(1, 1), (3, 3), (37, 53), (53, 3), (3, 1), (2, 37, 53), (3, 5, 3), (1, 8, 9)]
LABEL_ENDINGS = [".ome.tif", ".tif", ".npy", ".json", ".TIFF", ".ome.tiff"]


def drawn(shape, top=3, seed=0):
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(np.uint8)


def labeller(shape, name, **options):
    options = {"classes": NAMES, "pixel_size": (0.5, "nm"), **options}
    lab = sl.Labeller(np.zeros(shape, np.uint16), name=name, fresh=True, axes="ZYX"[-len(shape) :], **options)
    lab.set_labels(drawn(shape))
    return lab


@pytest.fixture(scope="module")
def trained():
    made = sl.data.micrograph("particles", (96, 128), seed=3)
    lab = sl.Labeller(made.image, {"Matrix": "#ff8000", "γ′": "#0080ff"}, name="trained", pixel_size=(2.5, "µm"))
    lab.set_labels(np.where(np.random.default_rng(0).random(made.truth.shape) < 0.05, made.truth, 0))
    lab.train(**SAMBA, trees=10, progress=False)
    return lab


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".png"])
def test_labels_of_pixels_of_another_size_are_taken_with_a_warning(tmp_path, ending):
    file = tmp_path / f"grains{ending}"
    labeller((9, 8), "half a nanometre").save(file, "labels")
    with warnings.catch_warnings():
        warnings.simplefilter("error", sl.SambaLabWarning)
        labeller((9, 8), "the same", pixel_size=(0.0005, "µm")).set_labels(file)
        labeller((9, 8), "unknown", pixel_size=None).set_labels(file)
    lab = labeller((9, 8), "larger", pixel_size=(2, "nm"))
    lab.set_labels(np.zeros((9, 8), int))
    message = (
        rf"grains{ending} are of pixels of 0\.5 nm; those of this image are 2 nm\. They may belong to another image"
    )
    with pytest.warns(sl.SambaLabWarning, match=message):
        lab.set_labels(file)
    np.testing.assert_array_equal(lab.labels, drawn((9, 8)))


@pytest.mark.parametrize("ending", LABEL_ENDINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_labels_come_back_exactly_with_names_and_colours(tmp_path, shape, ending):
    lab = labeller(shape, f"back {shape}")
    file = tmp_path / f"Größe {ending}"
    lab.save(file, "labels")
    other = labeller(shape, f"other {shape}", classes=None)
    other.set_labels(np.zeros(shape, np.uint8))
    other.set_labels(file)
    np.testing.assert_array_equal(other.labels, drawn(shape))
    if ending != ".npy":
        assert other.class_ids == lab.class_ids
        assert [item["color"] for item in other._refresh()["classes"]] == list(NAMES.values())
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ome_tiff_has_pixels_pixel_size_slices_and_classes(tmp_path, shape):
    labeller(shape, "ome").save(tmp_path / "a.ome.tif", "labels")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert file.is_ome and file.pages[0].compression == 8
        assert len(file.pages) == (shape[0] if len(shape) == 3 else 1)
        np.testing.assert_array_equal(file.asarray().reshape(shape), drawn(shape))
        assert file.series[0].axes in ("YX", "ZYX")
        root = ET.fromstring(file.ome_metadata)
        said = tifffile.xml2dict(file.ome_metadata)["OME"]
    pixels = said["Image"]["Pixels"]
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeYUnit"]) == (0.5, "nm")
    assert [pixels[f"Size{axis}"] for axis in "ZYX"] == [1, *shape][-3:]
    entries = {item.get("K"): item.text for item in root.iter() if item.tag.endswith("}M")}
    assert [entries[str(number)] for number in (1, 2, 3)] == list(NAMES)
    assert entries["2 colour"] == "#0080ff"
    np.testing.assert_array_equal(skimage.io.imread(tmp_path / "a.ome.tif").reshape(shape), drawn(shape))
    with Image.open(tmp_path / "a.ome.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), drawn(shape).reshape(-1, *shape[-2:])[0])
    assert prepare(tmp_path / "a.ome.tif").pixel_size == (0.5, "nm")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_tiff_has_pixels_and_a_palette(tmp_path, shape):
    labeller(shape, "tif").save(tmp_path / "a.tif", "labels")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.series[0].asarray().reshape(shape), drawn(shape))
        np.testing.assert_array_equal(file.pages[0].colormap[:, :4].T // 257, COLORS)
        assert file.pages[0].tags["ResolutionUnit"].value == 3
        over, under = file.pages[0].tags["XResolution"].value
        assert under / over == pytest.approx(0.5e-7)
    with Image.open(tmp_path / "a.tif") as image:
        for number, ids in enumerate(drawn(shape).reshape(-1, *shape[-2:])):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image), ids)
    np.testing.assert_array_equal(skimage.io.imread(tmp_path / "a.tif").reshape(shape), drawn(shape))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if len(shape) == 2], ids=str)
def test_png_has_ids_a_palette_and_names(tmp_path, shape):
    lab = labeller(shape, "png", pixel_size=(0.5, "µm"))
    lab.save(tmp_path / "a.png", "labels")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P" and image.info["dpi"][0] == pytest.approx(0.0254 / 0.5e-6, rel=1e-3)
        np.testing.assert_array_equal(np.asarray(image), drawn(shape))
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), COLORS[drawn(shape)])
        assert [item["name"] for item in json.loads(image.text["sambalab"])["classes"]] == list(NAMES)
    np.testing.assert_array_equal(skimage.io.imread(tmp_path / "a.png")[..., :3], COLORS[drawn(shape)])
    other = labeller(shape, "png other", classes=None)
    other.set_labels(np.zeros(shape, np.uint8))
    other.set_labels(tmp_path / "a.png")
    np.testing.assert_array_equal(other.labels, drawn(shape))
    assert other.class_ids == lab.class_ids


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pycocotools_gives_the_same_masks(tmp_path, shape):
    lab = labeller(shape, "coco")
    ids = drawn(shape, 2)
    ids[..., :9, :9] = 3
    ids[..., 3:5, 3:5] = 1  # a hole, where the image is large enough
    lab.set_labels(ids)
    lab.save(tmp_path / "a.json", "labels")
    coco = COCO(tmp_path / "a.json")
    seen = np.zeros_like(ids).reshape(-1, *shape[-2:])
    for one in coco.anns.values():
        mask = coco.annToMask(one).astype(bool)
        assert one["area"] == mask.sum()
        assert one["bbox"] == coco_mask.toBbox(coco.annToRLE(one)).tolist()
        assert not seen[one["image_id"] - 1][mask].any()
        seen[one["image_id"] - 1][mask] = one["category_id"]
    np.testing.assert_array_equal(seen.reshape(shape), ids)
    assert [(item["id"], item["name"], item["color"]) for item in coco.loadCats(coco.getCatIds())] == [
        (number + 1, *item) for number, item in enumerate(NAMES.items())
    ]
    assert all((image["height"], image["width"]) == shape[-2:] for image in coco.imgs.values())
    kinds = {type(one["segmentation"]) for one in coco.anns.values()}
    assert kinds == ({list, dict} if min(shape[-2:]) >= 8 else {list})


@pytest.mark.parametrize("shape", [(12, 15), (3, 12, 15)])
def test_a_coco_file_of_slices_without_labels_is_read_again(tmp_path, shape):
    lab = labeller(shape, "sparse")
    ids = np.zeros(shape, np.uint8)
    for labelled in (False, True):
        if labelled and len(shape) == 3:
            ids[1, 2:5, 3:9] = 2
        lab.set_labels(ids)
        lab.save(tmp_path / f"{labelled}.json", "labels")
        coco = COCO(tmp_path / f"{labelled}.json")
        assert len(coco.imgs) == (1 if len(shape) == 2 else 3)
        assert len(coco.anns) == int(ids.any())
        lab.set_labels(drawn(shape))
        lab.set_labels(tmp_path / f"{labelled}.json")
        np.testing.assert_array_equal(lab.labels, ids)


def test_compressed_run_lengths_and_foreign_categories_are_read(tmp_path):
    lab = labeller((37, 53), "foreign", classes=None)
    ids = drawn((37, 53), 2, seed=4)
    annotations = []
    for number in (1, 2):
        packed = coco_mask.encode(np.asfortranarray(ids == number))
        shape = {"size": packed["size"], "counts": packed["counts"].decode()}
        annotations.append({"id": number, "image_id": 7, "category_id": 1000 * number, "segmentation": shape})
    document = {
        "images": [{"id": 7, "height": 37, "width": 53, "file_name": "a.png"}],
        "annotations": annotations,
        "categories": [{"id": 1000, "name": "pore"}, {"id": 2000, "name": "solid"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    lab.set_labels(tmp_path / "a.json")
    np.testing.assert_array_equal(lab.labels, ids)
    assert lab.class_ids["pore"] == 1 and lab.class_ids["solid"] == 2


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".png", ".npy", ".json"])
def test_255_classes_come_back(tmp_path, ending):
    names = [f"Klasse {number} ß" for number in range(1, 256)]
    shape = (16, 17)
    lab = sl.Labeller(np.zeros(shape, np.uint8), names, name="255", fresh=True)
    ids = np.arange(272).reshape(shape) % 256
    lab.set_labels(ids)
    lab.save(tmp_path / f"a{ending}", "labels")
    other = sl.Labeller(np.zeros(shape, np.uint8), name=f"255 {ending}", fresh=True)
    other.set_labels(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(other.labels, ids)
    if ending != ".npy":
        assert other.class_ids == lab.class_ids


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".png", ".npy"])
def test_spread_ids_come_back_on_demand(tmp_path, ending):
    lab = labeller((37, 53), "spread")
    file = tmp_path / f"a{ending}"
    lab.save(file, "labels", spread=True)
    read = np.load if ending == ".npy" else skimage.io.imread
    np.testing.assert_array_equal(read(file), drawn((37, 53)) * 85)
    lab.set_labels(np.zeros((37, 53), np.uint8))
    if ending != ".npy":
        with pytest.raises(sl.LabelError, match="spread=True"):
            lab.set_labels(file)
    assert not lab.labels.any()
    lab.set_labels(file, spread=True)
    np.testing.assert_array_equal(lab.labels, drawn((37, 53)))


def test_sambas_own_spread_files_are_read(tmp_path):
    lab = labeller((37, 53), "samba spread", classes=None)
    for top in (1, 2, 3, 4, 7):
        ids = drawn((37, 53), top)
        tifffile.imwrite(tmp_path / "labels.tiff", ids * (255 // top))
        lab.set_labels(tmp_path / "labels.tiff", spread=True)
        np.testing.assert_array_equal(lab.labels, ids)
    tifffile.imwrite(tmp_path / "other.tiff", drawn((37, 53), 100))
    with pytest.raises(sl.LabelError, match="no spread class ids"):
        lab.set_labels(tmp_path / "other.tiff", spread=True)


def test_given_classes_are_matched_by_name(tmp_path):
    lab = labeller((37, 53), "names")
    lab.save(tmp_path / "a.ome.tif", "labels")
    turned = labeller((37, 53), "names turned", classes=list(NAMES)[::-1])
    turned.set_labels(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(turned.labels, np.array([0, 3, 2, 1])[drawn((37, 53))])
    few = sl.Labeller(np.zeros((37, 53), np.uint8), ["µ", "x"], name="names few", fresh=True)
    with pytest.raises(sl.LabelError, match=r"'Poren · 孔'.*'µ', 'x'"):
        few.set_labels(tmp_path / "a.ome.tif")
    assert not few.labels.any() and few.classes == ("µ", "x")


def test_labels_of_another_labeller_or_session_are_taken():
    lab = labeller((37, 53), "giver")
    for given in (lab, next(info for info in sl.sessions() if info.session == lab.session)):
        other = labeller((37, 53), "taker", classes=None)
        other.set_labels(np.zeros((37, 53), np.uint8))
        other.set_labels(given)
        np.testing.assert_array_equal(other.labels, lab.labels)
        assert other.class_ids == lab.class_ids


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".npy"])
def test_probabilities_are_the_same_in_every_file(trained, tmp_path, ending):
    trained.save(tmp_path / f"p{ending}", "probabilities")
    if ending == ".npy":
        np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), trained.probabilities)
        return
    with tifffile.TiffFile(tmp_path / f"p{ending}") as file:
        series = file.series[0]
        assert series.axes == "CYX" and series.dtype == np.float32
        np.testing.assert_array_equal(np.moveaxis(series.asarray(), 0, -1), trained.probabilities)
        if ending == ".ome.tif":
            channels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]["Channel"]
            assert [channel["Name"] for channel in channels] == ["Matrix", "γ′"]
            assert channels[0]["Color"] == int.from_bytes(bytes.fromhex("ff8000ff"), "big", signed=True)
            assert prepare(tmp_path / "p.ome.tif", index={"C": 0}).pixel_size == (2.5, "µm")


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".png", ".npy"])
@pytest.mark.parametrize("of", ["segmentation", "labels"])
def test_overlays_show_the_class_colours(trained, tmp_path, ending, of):
    trained.save(tmp_path / f"o{ending}", "overlay", of=of, alpha=0.25)
    seen = np.load(tmp_path / "o.npy") if ending == ".npy" else skimage.io.imread(tmp_path / f"o{ending}")
    assert seen.shape == (96, 128, 3) and seen.dtype == np.uint8
    ids = trained.segmentation if of == "segmentation" else trained.labels
    grey = np.repeat(np.asarray(trained.image, float)[..., np.newaxis], 3, axis=-1)
    shown = trained._refresh()["image"]["display"]
    grey = np.clip((grey - shown["low"]) * 255 / (shown["high"] - shown["low"]), 0, 255)
    mixed = np.where(ids[..., np.newaxis] > 0, grey * 0.75 + COLORS[ids] * 0.25, grey)
    assert np.abs(seen - mixed).max() <= 0.51


def test_the_segmentation_is_saved(trained, tmp_path):
    trained.save(tmp_path / "s.png", "segmentation")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "s.png")), trained.segmentation)


def test_a_slice_of_a_stack_is_saved(tmp_path):
    lab = labeller((2, 37, 53), "one slice")
    with pytest.raises(sl.ParameterError, match=r"stack of 2; \.tif and \.ome\.tif hold stacks, and slice=0"):
        lab.save(tmp_path / "a.png", "labels")
    lab.save(tmp_path / "a.png", "labels", slice=1)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), drawn((2, 37, 53))[1])
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "what", "options", "error", "says"),
    [
        (
            "a.gif",
            "labels",
            {},
            sl.ParameterError,
            r"'.*a\.gif'; labels in files that end in .*\.ome\.tif.*\.json will do",
        ),
        ("a", "labels", {}, sl.ParameterError, "files that end in"),
        ("a.png", "probabilities", {}, sl.ParameterError, r"probabilities in files that end in \.ome\.tif"),
        ("a.json", "labels", {"spread": True}, sl.ParameterError, "end in"),
        ("a.tif", "mask", {}, sl.ParameterError, "what is 'mask'; 'labels'"),
        ("a.tif", "overlay", {"alpha": 2}, sl.ParameterError, "alpha is 2; a number from 0 to 1"),
        ("a.tif", "overlay", {}, sl.NotTrainedError, "of='labels'"),
        ("a.tif", "overlay", {"spread": True, "of": "labels"}, sl.ParameterError, "spread goes with labels"),
        ("a.tif", "segmentation", {}, sl.NotTrainedError, "lab.train"),
        ("no/a.tif", "labels", {}, sl.ParameterError, "there is no folder .*no; make it first"),
        ("folder.tif", "labels", {}, sl.ParameterError, "is a folder"),
        ("a\0.tif", "labels", {}, sl.ParameterError, "cannot be written"),
        ("a.tif", "labels", {"slice": 1}, sl.ParameterError, "slice is 1"),
    ],
)
def test_what_cannot_be_saved_is_named_and_leaves_no_file(tmp_path, name, what, options, error, says):
    (tmp_path / "folder.tif").mkdir()
    lab = labeller((37, 53), "wrong")
    with pytest.raises(error, match=says):
        lab.save(f"{tmp_path}/{name}", what, **options)
    assert os.listdir(tmp_path) == ["folder.tif"]


def test_a_full_disk_leaves_the_older_file(tmp_path, monkeypatch):
    lab = labeller((37, 53), "full")
    lab.save(tmp_path / "a.tif", "labels")
    before = (tmp_path / "a.tif").read_bytes()

    def full(path, *args, **options):
        with open(path, "wb") as file:
            file.write(b"II*")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(sl.DiskFullError, match="No space left.*Free some room"):
        lab.save(tmp_path / "a.tif", "labels")
    assert (tmp_path / "a.tif").read_bytes() == before and os.listdir(tmp_path) == ["a.tif"]


def _write(path, make):
    make(path)
    return path


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.png", lambda path: Image.new("RGB", (53, 37)).save(path), r"picture in colour \(RGB\)"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.zeros((37, 53, 3), np.uint8), photometric="rgb"), "axes YXS"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.zeros((37, 53), np.float32)), "float32"),
        ("a.tif", lambda path: tifffile.imwrite(path, np.zeros((53, 37), np.uint8)), r"\(53, 37\).*\(37, 53\)"),
        ("a.npy", lambda path: np.save(path, np.full((37, 53), 9)), "no class 9; ids are 1"),
        ("a.npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), "cannot be read as labels"),
        ("a.npy", lambda path: path.write_bytes(b"\x93NUMPY"), "cannot be read as labels"),
        ("a.tif", lambda path: path.write_bytes(b"II*\0"), "cannot be read as labels"),
        ("a.png", lambda path: path.write_bytes(b""), "cannot be read as labels"),
        ("a.json", lambda path: path.write_text("[]"), "not of COCO"),
        ("a.json", lambda path: path.write_text("{"), "cannot be read as labels"),
        ("a.json", lambda path: path.mkdir(), "a folder"),
        ("a.json", lambda path: None, "There is no file"),
        ("a.gif", lambda path: None, r"labels from files that end in \.ome\.tif"),
    ],
)
def test_files_that_hold_no_labels_are_named_and_change_nothing(tmp_path, name, make, says):
    lab = labeller((37, 53), "unreadable")
    with pytest.raises(sl.LabelError, match=says):
        lab.set_labels(_write(tmp_path / name, make))
    np.testing.assert_array_equal(lab.labels, drawn((37, 53)))


def test_a_loaded_file_is_undone(tmp_path):
    lab = labeller((37, 53), "undone")
    np.save(tmp_path / "a.npy", drawn((37, 53), seed=5))
    lab.set_labels(tmp_path / "a.npy")
    lab.undo()
    np.testing.assert_array_equal(lab.labels, drawn((37, 53)))
