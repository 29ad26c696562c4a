/**
 * Live segmentation: while it is on, every change of a session's labels, classes or choice trains the classifier again and segments the
 * image, visible tiles first.
 *
 * One training with its segmentation is a round. Rounds that follow each other without a pause are one job. A newer change replaces older
 * work, so the last change always gets its round. A user who draws without a pause still sees a result every half second.
 * Requested work (`train`, `segment`, `classifier.load`) runs before a round.
 */
import { randomBytes } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { EmbeddingSpec } from '../../../src/shared/features';
import { ArrayDescriptor, ClassifierInfo } from '../../../src/shared/protocol';
import { Rect, SliceRect } from '../../../src/shared/rect';
import { isSameRegion } from '../../../src/shared/region';
import { ArrayStore } from '../arrays/array-store';
import type { IArrival } from '../sam/slice-embeddings';
import { IJobContext } from '../jobs/job-context';
import { IEngineService, IImageMaps, ITrained } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { Learner } from './learner';
import {
  IEmbeddingSource,
  infoOf,
  ITrainingPart,
  missingLabels,
  partOf,
  specOf,
  writeClassifier
} from './training-part';
import { ShownRound } from './shown-round';
import { log } from '../base/log';
import { Peers } from '../transport/peers';
import { Session, SessionChange } from '../session/session';

/** After this time without a visible result, new labels do not stop the running round before it has shown one. In milliseconds. */
const UNSEEN_MS = 500;
/** A round without the maps of SAM waits for them so long, once the view is painted. In milliseconds. */
const MAPS_MS = 60_000;

/** The parts that live segmentation uses. */
export interface ILiveOptions {
  engine: IEngineService;
  store: ArrayStore;
  jobs: Jobs;
  peers: Peers;
  learner: Learner;
  embeddings: IEmbeddingSource;
  /** Called when the segmentation of a session is complete. */
  segmented(session: Session): void;
}

/** The rounds of one session. */
class SessionRounds {
  constructor(
    private readonly _session: Session,
    private readonly _options: ILiveOptions,
    /** Called when the session is closed. */
    private readonly _ended: () => void
  ) {
    _session.live = true;
    _session.changes.add(this._changed);
    _options.embeddings.arrived.add(this._arrived);
    this._changed('choice');
  }

  /** Start a pending round, if a client is attached. */
  start(): void {
    const { jobs, peers } = this._options;
    if (this._running || !this._wanted || this._off.signal.aborted || !peers.attends(this._session.id)) {
      return;
    }
    this._seen = performance.now();
    const description = {
      key: `live/${this._session.id}`,
      id: `live-${randomBytes(8).toString('hex')}`,
      session: this._session.id,
      kind: 'live' as const
    };
    this._running = jobs
      .run(description, this._off.signal, context => this._run(context))
      .catch(error => {
        if (BridgeError.from(error).code === 'internal') {
          log('live segmentation failed', error);
        }
      })
      .finally(() => {
        this._running = undefined;
        this.start();
      });
  }

  /** A view changed. */
  viewed(): void {
    this._showing?.send();
    this._encodeView();
  }

  /** Switch live segmentation off. Settles when no round runs any more. */
  async off(): Promise<void> {
    this._session.live = false;
    this._session.changes.delete(this._changed);
    this._options.embeddings.arrived.delete(this._arrived);
    this._off.abort();
    await this._running;
  }

  private readonly _changed = (change: SessionChange): void => {
    if (change === 'closed') {
      this._ended();
      return;
    }
    const { classifier } = this._session.record;
    if (change === 'classifier' && classifier !== this._own) {
      // A requested training or a loaded file made this classifier: it stays until the next change.
      const { version } = this._session.labels;
      if (classifier?.labelsVersion === 0 || classifier?.labelsVersion === version) {
        this._kept = { classifier, version };
        this._wanted = false;
      }
    } else if (change !== 'classifier') {
      if (change !== 'labels') {
        this._refused = undefined;
      }
      this._wanted = change === 'labels' || !this._upToDate();
      this._supersede(change);
      this.start();
    }
  };

  /** Note that the maps of a part of a slice are missing. */
  private _miss(spec: EmbeddingSpec, slice: number, under: readonly Rect[]): void {
    this._awaited.push({ slice, under, spec });
    this._options.embeddings.prefetch(this._session, slice, spec, under, this._off.signal);
  }

  /**
   * Make the maps of what a page shows in the background. The segmentation asks for them too, but each stroke stops it, and then the encoder would
   * never come to an end.
   */
  private _encodeView(): void {
    const { embeddings, peers } = this._options;
    const view = peers.views(this._session.id)[0]?.[1];
    if (!this._embedding || !view || JSON.stringify(view) === JSON.stringify(this._encoded?.view)) {
      return;
    }
    this._encoded?.stop.abort();
    const stop = new AbortController();
    this._encoded = { view, stop };
    const [row, column] = [(view.row0 + view.row1) >> 1, (view.column0 + view.column1) >> 1];
    const middle = { row0: row, row1: row + 1, column0: column, column1: column + 1 };
    const signal = AbortSignal.any([this._off.signal, stop.signal]);
    embeddings.prefetch(this._session, view.slice, this._embedding, [middle, view], signal);
  }

  /** Maps of a slice are ready, or failed. When none of a spec are missing any more, train with them, or report the failure. */
  private readonly _arrived = ({ session, slice, error }: IArrival): void => {
    if (session !== this._session || this._awaited.length === 0) {
      return;
    }
    const { embeddings } = this._options;
    const viewsOf = (awaited: typeof this._awaited) => new Set(awaited.map(({ spec }) => spec.views));
    const before = viewsOf(this._awaited);
    this._awaited = this._awaited.filter(
      ({ slice: its, under, spec }) =>
        its !== slice || (!error && !embeddings.ready(session, slice, spec, undefined, under))
    );
    if (viewsOf(this._awaited).size < before.size) {
      this._wanted = true;
      this._supersede('choice');
      this.start();
    }
  };

  /** Stop the running round, because the session has a newer state. */
  private _supersede(change: SessionChange): void {
    const unseen = performance.now() - this._seen > UNSEEN_MS;
    if (change === 'labels' && this._visible && unseen && this._options.peers.views(this._session.id).length > 0) {
      return; // the round stops by itself once it has shown a tile
    }
    this._round?.abort();
  }

  /** Whether the session's classifier and segmentation are those that a training would give now. */
  private _upToDate(): boolean {
    const { classifier, classes, arrays, choice, region, learnedRegion, segmentedRegion } = this._session.record;
    const { version } = this._session.labels;
    const { engine } = this._options;
    if (!classifier || !arrays['prediction'] || !arrays['segmentation'] || this._session.record.segmentedPart < 1) {
      return false;
    }
    if (!isSameRegion(region, learnedRegion) || !isSameRegion(region, segmentedRegion)) {
      return false;
    }
    const kept = this._kept?.classifier === classifier && this._kept.version === version;
    if (classifier.labelsVersion !== version && !kept) {
      return false;
    }
    try {
      const wanted = specOf(engine, choice.features, [this._session]);
      // A training on several images widens the range, and the embedding may have failed.
      const plain = (spec: object) =>
        JSON.stringify({ ...spec, range: null, ...(classifier.note && { embedding: null }) });
      const same =
        (!classifier.spec || plain(engine.featureSpec(classifier.spec)) === plain(wanted)) &&
        (!classifier.forest ||
          JSON.stringify(classifier.forest) === JSON.stringify(engine.learnerParams(choice.forest)));
      return same && (kept || JSON.stringify(classifier.classes) === JSON.stringify(classes));
    } catch {
      return false; // the round reports the error
    }
  }

  /** Run rounds until there is no newer change. */
  private async _run(context: IJobContext): Promise<void> {
    try {
      let message = '';
      for (let deaths = 0; this._wanted;) {
        const round = (this._round = new AbortController());
        let turn: AbortSignal | undefined;
        context.progress('waiting', 0, 1, message);
        message = '';
        try {
          await this._session.training.runBehind(AbortSignal.any([context.signal, round.signal]), async signal => {
            turn = signal;
            if (this._wanted) {
              this._wanted = false;
              await this._learn(signal, context);
            }
          });
          deaths = 0;
        } catch (thrown) {
          context.signal.throwIfAborted();
          const error = BridgeError.from(thrown);
          if (round.signal.aborted) {
            // The caller that stopped the round has noted whether a newer change exists.
          } else if (turn?.aborted) {
            this._wanted = true; // the round gave way to requested work
          } else if (error.code === 'compute' && deaths++ === 0) {
            this._wanted = true;
            message = `${error.message} Trying once more.`;
          } else if (error.code === 'not-ready') {
            context.progress('waiting', 0, 1, error.message);
          } else if (error.code !== 'cancelled' && !this._wanted) {
            throw error; // an error of an older state may come from labels that changed while they were read, and is ignored
          }
        }
      }
    } catch (error) {
      this._wanted = false; // until the next change
      throw error;
    } finally {
      this._round = undefined;
    }
  }

  /** Run one round: train on the present labels, segment, send tiles. */
  private async _learn(signal: AbortSignal, context: IJobContext): Promise<void> {
    const { engine, store, learner, segmented } = this._options;
    const session = this._session;
    const start = performance.now();
    const part = partOf(session);
    const missing = missingLabels([session]);
    if (missing !== undefined) {
      throw new BridgeError('not-ready', `${missing}; live segmentation goes on then.`);
    }
    this._visible = true;
    this._awaited = [];
    const number = session.nextRound();
    // The segmentation fills all blocks, so zeros need not be written first.
    const allocated = store.allocate(session.arraysFolder, 'prediction', 'uint8', session.labels.array.shape, true);
    allocated.catch(() => undefined);
    const work: IJobContext = { signal, progress: (...args) => context.progress(...args) };
    try {
      const { choice } = session.record;
      const forest = engine.learnerParams(choice.forest);
      const spec = specOf(engine, choice.features, [session]);
      const view = this._options.peers.views(session.id)[0]?.[1];
      const seen = { slice: view?.slice ?? 0, ...(view && { view }) };
      const { trained, embeddings, ...learned } = await (this._refused
        ? learner.learnWithout(part, spec, forest, work, this._refused)
        : learner.learnNow(part, spec, forest, work, seen, (...where) => this._miss(...where)));
      const [embedding] = embeddings ?? [];
      this._embedding = embedding && learned.spec.embedding;
      this._encodeView();
      const prediction = await allocated;
      try {
        await this._segment(part, number, { trained, embedding }, prediction, work);
      } catch (error) {
        const failure = embedding?.failure;
        if (!failure || failure.code === 'cancelled' || signal.aborted) {
          throw error;
        }
        this._refused = failure;
        this._wanted = true; // once more, without the embedding
        return;
      }
      signal.throwIfAborted();
      // From here on the round is not stopped: file, record and arrays must stay consistent.
      await writeClassifier(session, trained.json);
      const seconds = (performance.now() - start) / 1000;
      const { labelsVersion } = part;
      this._own = infoOf(trained, { ...learned, forest, basis: embedding?.basis, labelsVersion, seconds });
      await session.takeResults({ prediction }, part, this._own, number);
      segmented(session);
    } finally {
      this._visible = false;
      const prediction = await allocated.catch(() => undefined);
      if (session.record.arrays['prediction']?.path !== prediction?.path) {
        await store.remove(prediction);
      }
    }
  }

  /** Segment all slices into `prediction`, visible tiles first, and send the visible ones. */
  private async _segment(
    part: ITrainingPart,
    number: number,
    { trained, embedding }: { trained: ITrained; embedding: IImageMaps | undefined },
    prediction: ArrayDescriptor,
    context: IJobContext
  ): Promise<void> {
    const { engine, peers } = this._options;
    const { signal } = context;
    const showing = new ShownRound({ part, round: number, prediction, signal, peers });
    this._showing = showing;
    // A round without the maps of SAM leaves the cores to the encoder once the view is painted: a round with them follows.
    let rested = false;
    try {
      await showing.segment(engine, trained, embedding, context, async () => {
        if (this._visible) {
          void showing.sent.then(() => (this._seen = performance.now()));
        }
        if (this._visible && showing.views.every(view => showing.tiles.covers(view))) {
          await showing.sent;
          this._visible = false;
        }
        const { made, total } = showing.tiles;
        if (!this._visible && this._awaited.length > 0 && made < total && !rested) {
          rested = true;
          await restUntil(signal, MAPS_MS); // their arrival stops the round
        }
        if (this._wanted) {
          await showing.sent; // the round was only kept to show a result; now it has
          this._round?.abort();
          signal.throwIfAborted();
        }
      });
    } finally {
      await showing.close();
      this._showing = undefined;
    }
  }

  /** Whether the session has changed since the last training. */
  private _wanted = false;
  private readonly _off = new AbortController();
  private _running: Promise<void> | undefined;
  /** Stops the running round. */
  private _round: AbortController | undefined;
  /** Whether a round runs that has not made all visible tiles yet. */
  private _visible = false;
  private _showing: ShownRound | undefined;
  /** Time of the last visible result, or of the first change. */
  private _seen = 0;
  /** The latest classifier of a round. */
  private _own: ClassifierInfo | undefined;
  /** Why the maps of a slice could not be made. Rounds go on without the embedding until the choice changes. */
  private _refused: BridgeError | undefined;
  /** Where maps were missing in the latest round. */
  private _awaited: { slice: number; under: readonly Rect[]; spec: EmbeddingSpec }[] = [];
  /** The embedding that the latest round used. */
  private _embedding: EmbeddingSpec | null | undefined;
  /** The view whose maps are made in the background, and what stops that. */
  private _encoded: { view: SliceRect; stop: AbortController } | undefined;
  /** A classifier from a requested training or a file, and the version of the labels at that time. */
  private _kept: { classifier: ClassifierInfo; version: number } | undefined;
}

/** The rounds of all sessions for which live segmentation is on. */
export class LiveRounds {
  constructor(private readonly _options: ILiveOptions) {}

  /** Switch live segmentation of a session on or off. */
  async set(session: Session, on: boolean): Promise<void> {
    const rounds = this._rounds.get(session);
    if (on && !rounds) {
      const ended = () => void this.set(session, false);
      this._rounds.set(session, new SessionRounds(session, this._options, ended));
    } else if (!on && rounds) {
      this._rounds.delete(session);
      await rounds.off();
    }
  }

  /** A client attached. */
  attended(session: Session): void {
    this._rounds.get(session)?.start();
  }

  /** A view changed. */
  viewed(session: Session): void {
    this._rounds.get(session)?.viewed();
  }

  private readonly _rounds = new Map<Session, SessionRounds>();
}

/** Wait until the signal is aborted, at most for some milliseconds. */
function restUntil(signal: AbortSignal, most: number): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, most);
    const end = () => (clearTimeout(timer), resolve());
    if (signal.aborted) {
      end();
    } else {
      signal.addEventListener('abort', end, { once: true });
    }
  });
}

/** A peer's view, clipped to the image. Throws BridgeError `invalid` for a view outside of the image. */
export function viewOf(session: Session, view: SliceRect): SliceRect {
  session.checkSlice(view.slice);
  const [, rows, columns] = session.record.image.shape;
  const row1 = Math.min(view.row1, rows);
  const column1 = Math.min(view.column1, columns);
  if (view.row0 >= row1 || view.column0 >= column1) {
    throw new BridgeError(
      'invalid',
      `The view has rows ${view.row0} to ${view.row1} and columns ${view.column0} to ${view.column1}; it must have some of ` +
        `the ${rows} × ${columns} pixels, or be null.`
    );
  }
  return { ...view, row1, column1 };
}
