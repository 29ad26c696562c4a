"""Files in and out of the widget: what the page asks the kernel for, over the real relay and sidecar."""

import json
import os
import threading

import numpy as np
import pytest
import tifffile
from PIL import Image

import sambalab as sl
from sambalab.labeller import widget_files
from sambalab.sidecar_client import kernel_requests
from sambalab.tests.conftest import SAMBA
from sambalab.tests.sidecar_client.test_relay import FakeComm

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (70, 90)


@pytest.fixture
def comm():
    made = FakeComm()
    yield made
    made.relay.close()
    made.relay._thread.join(10)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(widget_files, "notebook_folder", lambda: str(tmp_path))
    return tmp_path


def labeller(request, shape=SHAPE, **options):
    image = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape).astype(np.uint16)
    lab = sl.Labeller(image, name=request.node.name, fresh=True, **options)
    lab.set_labels(drawn(shape))
    return lab


def drawn(shape, top=2):
    return np.random.default_rng(1).integers(0, top + 1, shape).astype(np.uint8)


def ask(comm, lab, method, buffers=(), **params):
    ask.count += 1
    return comm.ask(f"k{ask.count}", f"kernel.{method}", {"session": lab.session, **params}, buffers)[0]


ask.count = 0


def refusal(comm, lab, method, **params):
    ask.count += 1
    request = f"k{ask.count}"
    comm.browser_sends({"id": request, "method": f"kernel.{method}", "params": {"session": lab.session, **params}})
    return comm.wait_for(lambda header: header.get("re") == request)[0]["error"]


def upload(comm, lab, path, name, part=1000):
    content = path.read_bytes()
    for offset in range(0, max(len(content), 1), part):
        ask(comm, lab, "upload", [content[offset : offset + part]], upload=name, name=name, offset=offset)
    return name


def test_the_page_hears_of_each_format_what_it_can_hold(comm, folder, request):
    for name in ("old.npy", "labels.ome.tif", "notes.txt", ".hidden.png"):
        (folder / name).write_bytes(b"x")
    os.utime(folder / "old.npy", (1, 1))
    said = ask(comm, labeller(request), "files")
    assert said["folder"] == str(folder) and said["files"] == ["labels.ome.tif", "old.npy"]
    assert said["arrays"] == ["labels", "segmentation", "probabilities", "overlay", "provenance", "corrected"]
    formats = {known["ending"]: known for known in said["formats"]}
    assert list(formats) == [".ome.tif", ".tif", ".png", ".npy", ".json"]
    assert "probabilities" not in formats[".png"]["arrays"] and not formats[".png"]["stacks"]
    assert formats[".json"]["spreads"] == [] and "overlay" not in formats[".json"]["arrays"]
    assert formats[".tif"]["spreads"] == ["labels", "segmentation", "corrected"]


def test_the_name_of_the_file_is_proposed_without_its_ending(comm, folder, request):
    tifffile.imwrite(folder / "Größe 1.ome.tif", np.zeros(SHAPE, np.uint8))
    assert ask(comm, sl.Labeller(str(folder / "Größe 1.ome.tif")), "files")["stem"] == "Größe 1"
    assert ask(comm, labeller(request), "files")["stem"] == request.node.name


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".png", ".npy", ".json"])
def test_labels_saved_by_the_page_come_back_exactly_and_one_undo_takes_them_back(comm, folder, request, ending):
    lab = labeller(request, classes={"ore": "#ff8000", "rock": "#0080ff"})
    reply = ask(comm, lab, "save", path=f"a{ending}", what="labels", replace=False)
    assert reply == {"path": str(folder / f"a{ending}"), "saved": True}
    lab.set_labels(np.ones(SHAPE, int))
    assert ask(comm, lab, "open", path=f"a{ending}", sure=False)["kind"] == "labels"
    np.testing.assert_array_equal(lab.labels, drawn(SHAPE))
    step = lab.history[-1]
    assert (step.tool, step.file) == ("open_labels", f"a{ending}")
    assert str(step).endswith(f"a{ending}")
    lab.undo()
    assert (lab.labels == 1).all()


def test_an_older_file_is_replaced_only_if_the_user_says_so(comm, folder, request):
    lab = labeller(request)
    (folder / "a.npy").write_bytes(b"precious")
    params = {"path": "a.npy", "what": "labels"}
    assert ask(comm, lab, "save", **params, replace=False) == {"path": str(folder / "a.npy"), "saved": False}
    assert (folder / "a.npy").read_bytes() == b"precious"
    assert ask(comm, lab, "save", **params, replace=True)["saved"]
    np.testing.assert_array_equal(np.load(folder / "a.npy"), drawn(SHAPE))
    error = refusal(comm, lab, "save", path="no/such/a.npy", what="labels", replace=False)
    assert error["code"] == "invalid" and "make it first" in error["message"]
    error = refusal(comm, lab, "save", path="a.jpg", what="labels", replace=False)
    assert ".ome.tif" in error["message"]
    assert refusal(comm, lab, "save", path="s.tif", what="segmentation", replace=False)["code"] == "not-ready"
    assert sorted(os.listdir(folder)) == ["a.npy"]


def test_all_arrays_of_a_training_are_saved_as_python_saves_them(comm, folder, request):
    lab = labeller(request)
    lab.train(**SAMBA, trees=5, progress=False)
    for what, ending in [("segmentation", ".tif"), ("corrected", ".png"), ("probabilities", ".ome.tif")]:
        ask(comm, lab, "save", path=f"{what}{ending}", what=what, replace=False)
    np.testing.assert_array_equal(tifffile.imread(folder / "segmentation.tif"), lab.segmentation)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "corrected.png")), lab.corrected)
    saved = tifffile.imread(folder / "probabilities.ome.tif")
    np.testing.assert_array_equal(np.moveaxis(saved, 0, -1), lab.probabilities)
    ask(comm, lab, "save", path="o.png", what="overlay", of="labels", alpha=0.25, replace=False)
    lab.save(folder / "python.png", "overlay", of="labels", alpha=0.25)
    assert (folder / "o.png").read_bytes() == (folder / "python.png").read_bytes()


def test_spread_ids_are_read_back_as_ids_also_those_of_samba(comm, folder, request):
    lab = labeller(request)
    ask(comm, lab, "save", path="a.tif", what="labels", spread=True, replace=False)
    assert set(np.unique(tifffile.imread(folder / "a.tif"))) == {0, 127, 254}
    tifffile.imwrite(folder / "samba.tif", np.array([0, 127, 254], np.uint8)[drawn(SHAPE)])
    for name in ("a.tif", "samba.tif"):
        lab.set_labels(np.zeros(SHAPE, int))
        assert ask(comm, lab, "open", path=name, sure=False)["spread"]
        np.testing.assert_array_equal(lab.labels, drawn(SHAPE))


def test_one_slice_of_a_stack_is_saved_as_a_picture(comm, folder, request):
    lab = labeller(request, (3, 20, 30))
    ask(comm, lab, "save", path="a.png", what="labels", slice=1, replace=False)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "a.png")), lab.labels[1])


def test_a_file_of_other_classes_is_opened_though_the_labeller_was_given_classes(comm, folder, request):
    other = labeller(request, classes=["iron", "slag"])
    other.save(folder / "a.ome.tif", "labels")
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), classes=["x", "y"], name="own classes", fresh=True)
    ask(comm, lab, "open", path="a.ome.tif", sure=True)
    np.testing.assert_array_equal(lab.labels, drawn(SHAPE))
    assert lab.classes == ("iron", "slag")


def test_a_file_from_the_users_computer_is_opened_as_labels(comm, folder, request, tmp_path_factory):
    lab = labeller(request)
    away = tmp_path_factory.mktemp("away") / "a.npy"
    lab.save(away, "labels")
    lab.set_labels(np.zeros(SHAPE, int))
    name = upload(comm, lab, away, "Größe.npy")
    assert ask(comm, lab, "open", upload=name, sure=False)["path"] == "Größe.npy"
    np.testing.assert_array_equal(lab.labels, drawn(SHAPE))
    assert os.listdir(folder) == []
    wrong = tmp_path_factory.mktemp("away") / "b.npy"
    np.save(wrong, np.zeros((5, 5), np.uint8))
    # Whole numbers of another shape may be an image.
    said = ask(comm, lab, "open", upload=upload(comm, lab, wrong, "b.npy"), sure=False)
    assert said["kind"] == "image" and not said["fits"] and str(SHAPE) in said["problem"]
    error = refusal(comm, lab, "open", upload="b.npy", sure=True)
    assert error["message"].startswith("b.npy holds") and error["code"] == "invalid"
    error = refusal(comm, lab, "open", upload="never sent", sure=True)
    assert "choose it again" in error["message"]


def test_an_image_is_not_taken_for_labels_but_offered_as_an_image(comm, folder, request, tmp_path_factory):
    lab = labeller(request)
    noise = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    Image.fromarray(noise).save(folder / "photo.png")
    said = ask(comm, lab, "open", path="photo.png", sure=False)
    assert said["kind"] == "image" and said["fits"]
    np.testing.assert_array_equal(lab.labels, drawn(SHAPE))
    assert ask(comm, lab, "open", path="photo.png", sure=True)["kind"] == "labels"
    np.testing.assert_array_equal(lab.labels, noise)
    Image.fromarray(noise).convert("RGB").save(folder / "photo.jpg")
    assert ask(comm, lab, "open", path="photo.jpg", sure=False)["kind"] == "image"
    cell = ask(comm, lab, "cell", path="photo.jpg")
    assert cell["source"] == 'import sambalab as sl\n\nlab2 = sl.Labeller("photo.jpg")\nlab2'
    # From the user's computer: it is put beside the notebook, never over another file.
    away = tmp_path_factory.mktemp("away") / "photo.jpg"
    Image.fromarray(noise[:50]).convert("RGB").save(away)
    name = upload(comm, lab, away, "photo.jpg")
    before = (folder / "photo.jpg").read_bytes()
    for _ in range(2):
        assert 'Labeller("photo-2.jpg")' in ask(comm, lab, "cell", upload=name)["source"]
    assert (folder / "photo-2.jpg").read_bytes() == away.read_bytes()
    assert (folder / "photo.jpg").read_bytes() == before
    (folder / "notes.txt").write_text("nothing")
    assert "labels from files that end in" in refusal(comm, lab, "open", path="notes.txt", sure=False)["message"]


def test_an_upload_stays_within_its_limit_and_its_folder(comm, folder, request, monkeypatch):
    lab = labeller(request)
    monkeypatch.setattr(widget_files, "limits", lambda _: {"upload": 1500})
    ask(comm, lab, "upload", [bytes(1000)], upload="u", name="../../x.npy", offset=0)
    ask.count += 1
    params = {"session": lab.session, "upload": "u", "name": "../../x.npy", "offset": 1000}
    comm.browser_sends({"id": "big", "method": "kernel.upload", "params": params}, [bytes(1000)])
    header, _ = comm.wait_for(lambda header: header.get("re") == "big")
    assert "beside the notebook" in header["error"]["message"]
    path = widget_files._uploads.path("u")
    assert path.name == "x.npy" and path.stat().st_size == 1000


def test_a_request_that_is_sent_twice_is_carried_out_once_and_answered_by_the_relays_thread(comm, folder, request):
    lab = labeller(request)
    runs, gate = [], threading.Event()

    def slow(lab, params, buffers):
        runs.append(threading.current_thread().name)
        gate.wait(30)
        return {}

    before = kernel_requests._handlers["kernel.files"]
    kernel_requests._handlers["kernel.files"] = slow
    try:
        for _ in range(3):
            comm.browser_sends({"id": "twice", "method": "kernel.files", "params": {"session": lab.session}})
        # Other messages pass meanwhile.
        comm.ask("a", "session.attach", {"session": lab.session})
        gate.set()
        comm.wait_for(lambda header: header.get("re") == "twice")
        comm.browser_sends({"id": "twice", "method": "kernel.files", "params": {"session": lab.session}})
        comm.ask("b", "session.attach", {"session": lab.session})
    finally:
        kernel_requests._handlers["kernel.files"] = before
    assert runs == ["sambalab-kernel-request"]
    assert [json.loads(frames[0]).get("re") for frames in comm.sent].count("twice") == 2
    assert comm.threads == {comm.relay._thread.ident}


def test_a_labeller_that_is_gone_is_told_of(comm, folder, request):
    lab = labeller(request)
    lab.close()
    error = refusal(comm, lab, "files")
    assert error["code"] == "unknown-session" and "Run its cell again" in error["message"]
