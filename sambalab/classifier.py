"""`Classifier`: a trained classifier, to save, to convert for other tools, and to apply to other images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from .files import classifier_files
from .files.images import Image, Index, prepare, tell
from .files.other_images import back_on_grid, resampled, resampling_factor, warn_of_differences
from .files.sklearn_forest import basis_of, from_forest, parameters_of, to_forest
from .sidecar_client import staging
from .sidecar_client.client import Client
from .spec.classes import ClassesLike, make_classes
from .spec.classifier_description import ClassifierDescription
from .spec.classifier_document import ClassifierDocument
from .spec.errors import NodeNotFoundError, ParameterError, SidecarError
from .spec.features import FeaturesLike, FeatureSpec
from .spec.parameters import one_of, pixel_size_of, switch
from .spec.tables import limits
from .wasm.api import apply_document

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

Output = Literal["labels", "probabilities"]
T = TypeVar("T")


class Classifier(ClassifierDescription):
    """A feature spec, trees and classes. It does not change when its labeller is trained again.

    `Labeller.train`, `Labeller.classifier`, `Classifier.load`, `Classifier.from_sklearn` and `engine.train` give one.

    Examples
    --------
    >>> lab.classifier.save("alloy.onnx")
    >>> classifier = sl.Classifier.load("alloy.onnx")
    >>> labels = classifier.apply([image, other])
    """

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Classifier:
        """Read a classifier from a file that `save` wrote. Runs no code in the file.

        Python reads ``.json``, ``.onnx`` and ``.skops``; the sidecar reads the other formats.

        Raises
        ------
        ParameterError
            If the file cannot be read, or is not a classifier of this version. The message names the wrong value.
        SambaLabError
            If the file ends in .skops and skops is not installed.
        """
        data = classifier_files.read(path)
        found = classifier_files.document_of(data, path)
        if found is None:
            _format_of(path, "reads")
            reply = staging.once_more(lambda sidecar: sidecar.request("classifier.read", {}, [data]))
            return cls(bytes(reply.buffers[0]), reply.result)
        document = ClassifierDocument(found)
        document.check()
        return cls(document)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classifier to a file. The extension of its name chooses the format.

        Parameters
        ----------
        path
            ``.json``: complete and readable.

            ``.onnx``: features and trees in one graph, which onnxruntime runs without SambaLab, for features that ONNX can
            express. Further inputs: the `embedding`; and ``intensity`` if pixels are standardised or probabilities refined:
            float64 (2,), mean and standard deviation of the image, or NaN for those of the input ``image``, which is right for a
            whole image that is not a stack.

            ``.skops``: a forest as a fitted RandomForestClassifier of scikit-learn.

            Any other format that the sidecar writes. `load` reads them all.

        Raises
        ------
        ParameterError
            If there is no such format, the file cannot be written, ONNX cannot express some features, which are named, or the
            trees are boosted and the format is scikit-learn's.
        SambaLabError
            If the file ends in .skops and skops or scikit-learn is not installed.
        """
        extension = classifier_files.extension_of(path)
        if extension == ".skops":
            classifier_files.write_skops(path, self.to_sklearn(), self._document.data)
        elif extension == ".json":
            classifier_files.write(path, self._document.data)
        else:
            classifier_files.write(path, self._convert(_format_of(path, "writes")))

    def to_sklearn(self) -> RandomForestClassifier:
        """Convert to a fitted RandomForestClassifier of scikit-learn, with the same probabilities for the same features.

        Probabilities are those of the trees, before they are refined, which would need the image. The input is float32
        (pixels, features), columns in the order of `feature_names`, as in `Labeller.features` and
        `sambalab.engine.feature_stack`. It predicts class ids. Its ``feature_importances_`` are NaN, because the nodes have no
        numbers of samples and no impurities; use `feature_importances`.

        Raises
        ------
        ParameterError
            If the trees are boosted: scikit-learn has no equivalent.
        SambaLabError
            If scikit-learn is not installed.
        """
        if self.kind == "boosting":
            raise ParameterError(
                "These are boosted trees, whose leaves hold values for all classes at once; scikit-learn has no such trees. "
                "Files that end in .json or .onnx will do, or a forest: lab.train(preset='samba')."
            )

        return to_forest(self._document.forest, self.class_ids, self._document.learner)

    @classmethod
    def from_sklearn(
        cls,
        forest: Any,
        features: FeaturesLike = "samba",
        classes: ClassesLike | None = None,
        channels: Literal[1, 3] = 1,
        embedding: Classifier | None = None,
    ) -> Classifier:
        """Convert a forest that scikit-learn fitted on features of SambaLab.

        Parameters
        ----------
        forest
            A fitted RandomForestClassifier, ExtraTreesClassifier or DecisionTreeClassifier.
        features
            The features of its columns: a `FeatureSpec`, the name of a set, or a mapping. For columns of ``lab.features``:
            ``lab.classifier.feature_spec``.
        classes
            Names, or names and colours, in the order of the forest's ``classes_``. Ids are the values in ``classes_`` if these
            are integers from 1 to 255, else 1, 2, 3…
        channels
            Channels of the images that the classifier is for, 1 or 3.
        embedding
            If the features have an embedding: the classifier with whose features the columns were computed, for ``lab.features``
            ``lab.classifier``. It says how the embedding is reduced.

        Raises
        ------
        ParameterError
            If the forest is not fitted, or features, classes or embedding do not fit it.
        SambaLabError
            If scikit-learn is not installed.

        Warns
        -----
        UserWarning
            If a feature has more than 255 different thresholds. They are merged, so that a few pixels may change their class.
        """
        spec = FeatureSpec.of(features)
        if channels not in (1, 3):
            raise ParameterError(f"channels is {channels!r}; 1 or 3 will do.")
        spec, basis = basis_of(spec, None if embedding is None else embedding.document)
        trees, answers = from_forest(forest)
        names = list(spec.names(channels))
        if len(trees.cuts) != len(names):
            raise ParameterError(
                f"The forest was fitted on {len(trees.cuts)} features; this feature spec has {len(names)} for images of "
                f"{channels} channel{'s' if channels > 1 else ''}."
            )
        most = limits("classes")["count"]
        if not 1 <= len(answers) <= most:
            raise ParameterError(f"The forest has {len(answers)} classes; 1 to {most} will do.")
        made = make_classes(classes if classes is not None else [str(answer) for answer in answers.tolist()])
        if len(made) != len(answers):
            raise ParameterError(f"classes names {len(made)} classes; the forest has {len(answers)}.")
        if answers.dtype.kind in "iu" and answers.min() >= 1 and answers.max() <= most:
            made = [{**item, "id": int(answer)} for item, answer in zip(made, answers.tolist(), strict=True)]
        document = ClassifierDocument.make(
            spec=spec,
            channels=channels,
            classes=made,
            learner=parameters_of(forest, len(trees.counts)),
            forest=trees,
            samples=max(1, int(getattr(forest, "_n_samples", 1))),
            embedding=basis,
        )
        return cls(document)

    def to_ml_random_forest(self) -> dict[str, Any]:
        """Convert to the JSON of the npm package ml-random-forest (``RandomForestClassifier.load`` there).

        There, each tree has one vote. Here, trees add up the shares of their leaves. So labels differ where trees are uncertain.
        """
        forest: dict[str, Any] = json.loads(self._convert("ml-random-forest"))
        return forest

    @classmethod
    def from_ml_random_forest(
        cls,
        forest: Mapping[str, Any] | str | bytes,
        features: FeaturesLike | None = None,
        classes: ClassesLike | None = None,
        channels: Literal[1, 3] = 1,
    ) -> Classifier:
        """Convert a forest of the npm package ml-random-forest.

        Parameters
        ----------
        forest
            Its JSON (``toJSON()``), parsed or as text.
        features
            The features of its columns: a `FeatureSpec`, the name of a set, or a mapping. None for a forest of
            `to_ml_random_forest`, which contains them.
        classes
            Names, or names and colours, of the forest's classes 0, 1, 2…, which get ids 1, 2, 3…; required with `features`.
        channels
            Channels of the images that the classifier is for, 1 or 3.

        Raises
        ------
        ParameterError
            If this is not such a forest, or does not fit the features and classes.
        """
        if isinstance(forest, Mapping):
            data = json.dumps(forest).encode("utf-8")
        elif isinstance(forest, (str, bytes)):
            data = forest.encode("utf-8") if isinstance(forest, str) else forest
        else:
            raise ParameterError(f"The forest is a {type(forest).__name__}; its JSON, parsed or as text, will do.")
        if channels not in (1, 3):
            raise ParameterError(f"channels is {channels!r}; 1 or 3 will do.")
        params: dict[str, Any] = {}
        if features is not None:
            if classes is None:
                raise ParameterError("classes is None; the names of the forest's classes 0, 1, 2… will do.")
            made = make_classes(classes)
            spec = FeatureSpec.of(features).to_dict()
            labels = list(range(len(made)))
            params = {"meaning": {"features": spec, "channels": channels, "classes": made, "labels": labels}}
        reply = staging.once_more(lambda sidecar: sidecar.request("classifier.read", params, [data]))
        return cls(bytes(reply.buffers[0]), reply.result)

    def embedding(
        self, image: Any, *, axes: str | None = None, series: int | None = None, index: Index | None = None
    ) -> Any:
        """Compute the embedding of images, reduced to this classifier's components: the further inputs of its ONNX file.

        Parameters
        ----------
        image : array_like, path, or a list or tuple of them
            See `apply`.
        axes, series, index
            See `Labeller`; they hold for every image of a list.

        Returns
        -------
        list of ndarray, or a list or tuple of lists, as `image` is
            For each layer of `feature_spec`'s embedding float32 (slices, components, rows, columns), read-only. An image that is
            not a stack has one slice. Rows and columns are cells, not pixels. Empty without an embedding.

        Raises
        ------
        ImageError
            If this is not an image.
        ModelError
            If the sidecar does not have the model of `embedding_model`, or cannot run it.
        """
        return _each(image, lambda one: self._embed(_prepared(one, axes, series, index)))

    def apply(
        self,
        image: Any,
        output: Output = "labels",
        *,
        engine: Literal["sidecar", "python"] = "sidecar",
        embedding: Any = None,
        axes: str | None = None,
        series: int | None = None,
        index: Index | None = None,
        pixel_size: tuple[float, str] | None = None,
        rescale: bool = False,
    ) -> Any:
        """Segment other images.

        Parameters
        ----------
        image : array_like, path, or a list or tuple of them
            See `Labeller`; with the classifier's number of channels. The images of a list may differ in shape.
        output
            ``"labels"`` or ``"probabilities"``.
        engine
            ``"sidecar"``: the sidecar computes. ``"python"``: this process computes, for example a worker of a cluster. Both
            give the same bits; ``"python"`` needs ``sambalab[engine]``.
        embedding
            With ``engine="python"``, for a classifier with an embedding: the result of `embedding` for the same `image`. If
            None, the sidecar computes it.
        axes, series, index
            See `Labeller`; they hold for every image of a list.
        pixel_size
            Side of a pixel and its unit, (0.5, "nm"), of every image. None: that of the image's file, if it says so.
        rescale
            Resample images whose pixels are not of the size trained on, bilinearly and without aliasing (over a triangle as wide
            as a new pixel), segment the resampled image, and bring the result back to the image's own pixels: labels from the
            nearest pixel, probabilities bilinearly. The image is read into memory.

        Returns
        -------
        ndarray, or a list or tuple of them, as `image` is
            Read-only. Labels: class ids, uint8 (rows, columns), of a stack (slices, rows, columns). Probabilities: float32,
            with a last axis for the classes, along which they add up to 1.

        Raises
        ------
        ImageError
            If this is not an image.
        ParameterError
            If a parameter is invalid, the image has another number of channels, or `embedding` does not fit; with `rescale`, if
            a pixel size is not known.
        ModelError
            If the sidecar does not have the model of `embedding_model`, or cannot run it.

        Warns
        -----
        SambaLabWarning
            If the features are not standardised, and the image is of another dtype than the images trained on, or of a clearly
            different range of grey values. Without `rescale`, if its pixels are of another size.
        UserWarning
            If a file has several images and the largest was taken, or is shown in another way than it is stored.
        """
        own_size = pixel_size_of(pixel_size)
        if switch("rescale", rescale) and embedding is not None:
            raise ParameterError(
                "embedding does not go with rescale=True: it is that of the image before it is resampled."
            )

        def applied(one: Any, given: Any = None) -> npt.NDArray[Any]:
            prepared = _prepared(one, axes, series, index)
            size = prepared.pixel_size if own_size is None else (own_size["value"], own_size["unit"])
            factor = resampling_factor(self.pixel_size, size) if rescale else 1.0
            warn_of_differences(self._document, prepared, None if rescale else size)
            taken = prepared if factor == 1 else resampled(prepared, factor)
            inside = engine == "sidecar"
            result = self._apply_in_sidecar(taken, output) if inside else self._apply_here(taken, output, given)
            if taken is not prepared:
                result = back_on_grid(result, prepared.full_shape[:3])
                result.flags.writeable = False
            return result if prepared.stack else result[0]

        one_of("output", output, ("labels", "probabilities"))
        one_of("engine", engine, ("sidecar", "python"))
        if engine == "sidecar":
            if embedding is not None:
                raise ParameterError("embedding goes with engine='python'; the sidecar computes its own.")
            return _each(image, applied)
        if embedding is None or not _is_list(image):
            return _each(image, lambda one: applied(one, embedding))
        if not isinstance(embedding, (list, tuple)) or len(embedding) != len(image):
            raise ParameterError(
                f"embedding is not a list of {len(image)}, one for each image; classifier.embedding gives it."
            )
        given = iter(embedding)
        return _each(image, lambda one: applied(one, next(given)))

    def _apply_in_sidecar(self, image: Image, output: Output) -> npt.NDArray[Any]:
        def work(sidecar: Client) -> npt.NDArray[Any]:
            staged = staging.stage(sidecar, image)
            try:
                reply = sidecar.request("classifier.apply", {"staged": staged, "output": output}, [self._document.data])
                return staging.take(sidecar, reply.result)
            finally:
                staging.release(sidecar, staged)

        return staging.once_more(work)

    def _apply_here(self, image: Image, output: Output, embedding: Any) -> npt.NDArray[Any]:
        if embedding is None and self.embedding_model is not None:
            embedding = self._embedding_for_here(image)
        result: npt.NDArray[Any] = apply_document(self._document.data, image.pixels, output, embedding=embedding)
        result.flags.writeable = False
        return result

    def _embed(self, image: Image) -> list[npt.NDArray[np.float32]]:
        def work(sidecar: Client) -> list[npt.NDArray[np.float32]]:
            staged = staging.stage(sidecar, image)
            try:
                reply = sidecar.request("classifier.embedding", {"staged": staged}, [self._document.data])
                return [staging.take(sidecar, layer) for layer in reply.result["maps"]]
            finally:
                staging.release(sidecar, staged)

        return staging.once_more(work)

    def _embedding_for_here(self, image: Image) -> list[npt.NDArray[np.float32]]:
        try:
            return self._embed(image)
        except (NodeNotFoundError, SidecarError) as error:
            raise type(error)(
                f"{error} This classifier needs an embedding, which a sidecar computes. Without a sidecar, compute it elsewhere "
                "and pass it: embedding=classifier.embedding(image)."
            ) from error

    def _convert(self, form: str) -> bytes:
        """Convert to another format, in the sidecar."""
        return staging.once_more(
            lambda sidecar: bytes(
                sidecar.request("classifier.convert", {"format": form}, [self._document.data]).buffers[0]
            )
        )


def _format_of(path: str | os.PathLike[str], able: Literal["reads", "writes"]) -> str:
    """Give the name of the sidecar's format with the file's extension.

    Raises
    ------
    ParameterError
        If there is none that it reads, or writes.
    """
    reply = staging.once_more(lambda sidecar: sidecar.request("classifier.formats", {}))
    formats = [known for known in reply.result["formats"] if known[able]]
    extension = classifier_files.extension_of(path)
    for known in formats:
        if known["extension"] == extension:
            return str(known["name"])
    raise classifier_files.unknown_extension(path, [*(known["extension"] for known in formats), ".skops"])


def _prepared(image: Any, axes: str | None, series: int | None, index: Index | None) -> Image:
    prepared = prepare(image, axes=axes, series=series, index=index)
    tell(prepared.notes)
    return prepared


def _each(image: Any, work: Callable[[Any], T]) -> Any:
    """Run `work` for an image, or for each image of a list or tuple."""
    if not _is_list(image):
        return work(image)
    results = [work(item) for item in image]
    return tuple(results) if isinstance(image, tuple) else results


def _is_list(image: Any) -> bool:
    return isinstance(image, (list, tuple)) and len(image) > 0 and all(map(_is_image, image))


def _is_image(item: Any) -> bool:
    """Whether an item of a list is an image, rather than a row of one."""
    if isinstance(item, (str, os.PathLike)):
        return True
    return np.ndim(item) >= 2
