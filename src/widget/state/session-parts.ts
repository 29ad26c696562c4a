/**
 * The parts of a labeller that belong to one image: its tiles, labels, overlays, suggestions and guide. They exist once the
 * session is known; when the session shows another image, new ones replace them. Each part sends its own requests and
 * follows its own events; here their signals become the changes that views follow.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, isVolume, Rect, SessionState, shapeIn, SliceDirection } from '../../shared';
import { ISize } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { ILabelChange, LabelStore } from '../labels/label-store';
import { ImageTiles } from '../tiles/image-tiles';
import { SegmentationTiles } from '../tiles/segmentation-tiles';
import { AbsentSuggestion } from './absent-suggestion';
import { Change, IRepaint } from './change';
import { Choice } from './choice';
import { Comparison } from './comparison';
import { DirectedLink } from './directed-link';
import { Guide } from './guide';
import { ImageDisplay } from './image-display';
import { PixelValues } from './pixel-values';
import { PhaseIntervals } from './phase-intervals';
import { FeaturePreview } from './preview';
import { LabelledSlices } from './labelled-slices';
import { ProbabilityOverlay } from './probability';
import { SliceEmbedding } from './slice-embedding';
import { ISuggestionDecoder } from './suggestion-decoder';
import { SuggestionOptions } from './suggestion-options';
import { SimilarObjects } from './similar-objects';
import { Suggestion } from './suggestion';
import { Suggestions } from './suggestions';
import { UncertaintyOverlay } from './uncertainty';
import { UpcomingSlices } from './upcoming-slices';

/** The parts of one image. */
export class SessionParts implements IDisposable {
  constructor(options: SessionParts.IOptions) {
    const { session, choice, direction = 'xy', goesOn } = options;
    const across = direction !== 'xy';
    const link = across ? new DirectedLink(options.link, direction) : options.link;
    const [z, y, x, channels] = session.image.shape;
    const [slices, rows, columns] = shapeIn(direction, [z, y, x]);
    const image = { rows, columns };
    this.image = image;
    this.slices = slices;
    this.direction = direction;
    this.isVolume = isVolume(session.image.shape);
    this._session = session;
    // For a slice in yz the sidecar reads the whole volume, and then has those beside it.
    this.upcoming = new UpcomingSlices({ image, slices: direction === 'yz' ? 0 : slices });
    this.labels = options.labels ?? new LabelStore({ image, link, direction, queue: goesOn?.labels.queue });
    this.labelled = new LabelledSlices({
      slices: across ? 1 : slices,
      link,
      changedSince: version => this.labels.queue.waiting.length > 0 || this.labels.version > version
    });
    this.display =
      goesOn?.display ?? new ImageDisplay({ image: session.image, link, contrast: session.contrast ?? null });
    this.tiles = new ImageTiles({ image, link, look: this.display.first });
    this.tiles.look = this.display.look;
    this.pixels = new PixelValues({ dtype: session.image.dtype, tiles: this.tiles, link });
    this.correction = new LabelStore({
      image,
      link,
      direction,
      labels: this.labels,
      keeps: () => this._session.marks.locked
    });
    this.segmentation = new SegmentationTiles({
      image,
      slices,
      link,
      labels: this.labels,
      correction: this.correction
    });
    const greys = (rect: Rect, slice = options.sliceInView()) => this.tiles.greys(slice, rect);
    this.suggestions = new Suggestions({
      image,
      options: options.suggestionOptions,
      classInUse: options.classInUse,
      greys,
      remembered: `sizes ${session.image.digest}`
    });
    this.absent = new AbsentSuggestion({ suggestions: this.suggestions, hides: options.hides });
    this.similar = new SimilarObjects({ image, link, options: options.suggestionOptions, greys });
    this.embedding = new SliceEmbedding({
      link,
      image,
      upcoming: slice => this.upcoming.after(slice, 1),
      createDecoder: options.createDecoder
    });
    this.preview = new FeaturePreview({ image, channels, link });
    this.preview.offer(choice.spec);
    this.uncertainty = new UncertaintyOverlay({ image, link });
    this.probability = new ProbabilityOverlay({ image, link });
    this.phases = new PhaseIntervals({ link });
    this.guide = new Guide({
      slices,
      link,
      labelled: region => !across && this.labels.slice(region.slice).anyIn(region),
      version: () => this._session.segmentation?.version ?? 0
    });
    if (goesOn) {
      this.preview.choose(goesOn.preview.channel);
      this.preview.opacity = goesOn.preview.opacity;
      this.uncertainty.measure = goesOn.uncertainty.measure;
      this.probability.classId = goesOn.probability.classId;
    }
    for (const overlay of ['preview', 'uncertainty', 'probability'] as const) {
      this[overlay].across = across;
      this[overlay].show(goesOn?.[overlay].shown ?? false);
    }
    choice.changed.connect(() => this.preview.offer(choice.spec), this);
    this._connect();
  }

  /** Rows and columns of a slice. */
  readonly image: ISize;
  /** Number of slices. */
  readonly slices: number;
  /** The direction of the slices. */
  readonly direction: SliceDirection;
  /** Whether the image can be seen in other directions: a stack of grey slices. */
  readonly isVolume: boolean;
  /** The slices that have labels. */
  readonly labelled: LabelledSlices;
  /** The slices to fetch ahead. */
  readonly upcoming: UpcomingSlices;
  /** Contrast, gamma and channels. */
  readonly display: ImageDisplay;
  readonly tiles: ImageTiles;
  /** The image's own values of single pixels. */
  readonly pixels: PixelValues;
  readonly labels: LabelStore;
  /** What was drawn on the segmentation. */
  readonly correction: LabelStore;
  /** How the segmentation is compared with the one before. */
  readonly comparison = new Comparison();
  readonly segmentation: SegmentationTiles;
  readonly suggestions: Suggestions;
  /** Why nothing is suggested where the pointer rests. */
  readonly absent: AbsentSuggestion;
  /** Objects that are proposed because they are like one. */
  readonly similar: SimilarObjects;
  readonly embedding: SliceEmbedding;
  readonly preview: FeaturePreview;
  readonly uncertainty: UncertaintyOverlay;
  readonly probability: ProbabilityOverlay;
  /** The intervals of the phase fractions. */
  readonly phases: PhaseIntervals;
  /** Where to label next. */
  readonly guide: Guide;

  /** Emits what views show differently now. */
  get changed(): ISignal<this, Change> {
    return this._changed;
  }

  /** Emits which pictures of tiles are outdated. */
  get repaint(): ISignal<this, IRepaint> {
    return this._repaint;
  }

  /** Emits what went wrong in a part. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Follow the session's segmentation. */
  take(session: SessionState): void {
    this._session = session;
    this.display.take(session.contrast ?? null);
    this.labelled.follow(session);
    const { version = 0, round = 0 } = session.segmentation ?? {};
    this.uncertainty.follow(version);
    this.probability.learned = session.segmentation?.classifier.classes.map(({ id }) => id) ?? [];
    this.probability.follow(version);
    this.guide.follow(version);
    this.phases.follow(session);
    if (this.segmentation.settle(version, round) && version === 0) {
      this._repaint.emit({ overlay: 'segmentation', keys: null });
    }
  }

  /** The connection is back: events were missed, and a round that was under way may never be completed. */
  reattached(labelsVersion: number): void {
    this.segmentation.forgetRounds();
    this.segmentation.fallBack();
    this.segmentation.staleAll(labelsVersion);
    this.embedding.attached();
    this.labelled.attached();
    this.preview.retry();
    this.uncertainty.retry();
    this.probability.retry();
    this.phases.retry();
  }

  /** No live round is under way: drop the tiles of rounds that were not completed. */
  fallBack(): void {
    if (this.segmentation.ahead) {
      this.segmentation.fallBack();
      if (this.segmentation.version === 0) {
        this._repaint.emit({ overlay: 'segmentation', keys: null });
      }
      this._changed.emit('drawing');
    }
  }

  /** Dispose all parts but those with which slices in another direction go on. */
  turn(): void {
    this.labels.release();
    this._release(false);
  }

  /** Dispose all parts but the labels, which fit the next image. */
  release(): void {
    this._release(true);
  }

  private _release(all: boolean): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    const { display, tiles, segmentation, suggestions, similar, embedding } = this;
    const { preview, uncertainty, probability, phases, guide } = this;
    for (const part of [
      this.labelled,
      this.correction,
      ...(all ? [display] : []),
      tiles,
      this.pixels,
      this.comparison,
      segmentation,
      this.absent,
      suggestions,
      similar,
      embedding,
      preview,
      uncertainty,
      probability,
      phases,
      guide
    ]) {
      part.dispose();
    }
    Signal.clearData(this);
  }

  dispose(): void {
    this.release();
    this.labels.dispose();
  }

  private _connect(): void {
    const drawing = () => this._changed.emit('drawing');
    const features = () => this._changed.emit('features');
    const failed = (_: unknown, error: BridgeError) => this._failed.emit(error);
    const { display, tiles, labels, segmentation, suggestions, similar, embedding, preview, guide } = this;
    for (const part of [tiles, labels, segmentation, suggestions, similar]) {
      part.failed.connect(failed, this);
    }
    display.changed.connect(() => {
      tiles.look = display.look;
      this._changed.emit('display');
    }, this);
    this.comparison.changed.connect(() => this._changed.emit('display'), this);
    tiles.arrived.connect(drawing, this);
    labels.changed.connect((_, change) => this._onLabels('labels', change), this);
    for (const [overlay, layer] of [
      ['labels', labels],
      ['segmentation', this.correction]
    ] as const) {
      layer.crossed.connect(() => this._repaint.emit({ overlay, keys: null }), this);
    }
    this.correction.failed.connect(failed, this);
    this.correction.changed.connect((_, change) => this._onLabels('segmentation', change), this);
    labels.queue.changed.connect(() => this._changed.emit('status'), this);
    labels.queue.acknowledged.connect(() => {
      guide.drawn();
      drawing();
    }, this);
    segmentation.outdated.connect(drawing, this);
    segmentation.arrived.connect((_, keys) => {
      this._repaint.emit({ overlay: 'segmentation', keys });
      drawing();
    }, this);
    preview.arrived.connect(drawing, this);
    preview.changed.connect(features, this);
    for (const overlay of ['uncertainty', 'probability'] as const) {
      this[overlay].arrived.connect((_, keys) => {
        this._repaint.emit({ overlay, keys });
        drawing();
      }, this);
      this[overlay].changed.connect(features, this);
    }
    guide.changed.connect(() => {
      this._changed.emit('status');
      this._changed.emit('top');
    }, this);
    this.phases.changed.connect(() => this._changed.emit('status'), this);
    suggestions.changed.connect(() => this._changed.emit('top'), this);
    this.absent.changed.connect(() => this._changed.emit('status'), this);
    similar.changed.connect(() => {
      this._changed.emit('top');
      this._changed.emit('status');
    }, this);
    suggestions.prompted.connect(() => {
      this._changed.emit('status');
      this._changed.emit('choice'); // the undo button takes prompts back
    }, this);
    embedding.changed.connect(() => {
      suggestions.decoder = embedding.decoder;
      this._changed.emit('status');
      this._changed.emit('choice');
    }, this);
    embedding.improved.connect(() => suggestions.refresh(), this);
    embedding.progressed.connect(() => this._changed.emit('status'), this);
  }

  private _onLabels(overlay: 'labels' | 'segmentation', { slice, tiles, area }: ILabelChange): void {
    const keys = tiles.map(({ row, column }) => `${slice}/${row}/${column}`);
    this._repaint.emit({ overlay, keys, ...(area && { area }) });
    this._changed.emit(area ? 'stroke' : 'drawing');
  }

  private readonly _changed = new Signal<this, Change>(this);
  private readonly _repaint = new Signal<this, IRepaint>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _session: SessionState;
  private _disposed = false;
}

/** The namespace for {@link SessionParts}. */
export namespace SessionParts {
  export interface IOptions {
    session: SessionState;
    link: ISessionLink;
    /** What the next training uses: its features can be previewed. */
    choice: Choice;
    /** Labels that fit the image; new ones, if left out. */
    labels?: LabelStore | undefined;
    /** Of the slices; by default xy. */
    direction?: SliceDirection;
    /** The parts of another direction: their queue of strokes and their display stay. */
    goesOn?: SessionParts | undefined;
    /** What the user chose for suggestions. */
    suggestionOptions: SuggestionOptions;
    /** Whether a suggestion that follows the pointer is hidden, since SAM is not sure of it. */
    hides: (suggestion: Suggestion) => boolean;
    /** The id of the class in use; 0 for none. */
    classInUse: () => number;
    /** The slice that is shown. */
    sliceInView: () => number;
    createDecoder(): Promise<ISuggestionDecoder>;
  }
}
