/** A segmentation on its way: its tiles are made in the order of {@link LiveTiles}, and each peer gets those of its view as they are made. */
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { SliceRect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { log } from '../base/log';
import { IJobContext } from '../jobs/job-context';
import { AnyClassifier, IEngineService, IImageMaps } from '../jobs/services';
import { composedTiles, TileRefs } from '../session/overlays';
import { Peer, Peers } from '../transport/peers';
import { LiveTiles } from './live-tiles';
import { ITrainingPart } from './training-part';

/** Bytes of tiles in one event. */
const EVENT_BYTES = 960 << 10;

export class ShownRound {
  constructor(options: ShownRound.IOptions) {
    this._options = options;
    this.tiles = new LiveTiles(options.prediction.shape, options.part.region);
    this._file = new TileFile(options.prediction, 'r');
  }

  readonly tiles: LiveTiles;

  /** Settles when all tiles so far are sent. */
  sent: Promise<void> = Promise.resolve();

  /** Whether a tile was sent to a peer. */
  any = false;

  /** What the peers show. */
  get views(): SliceRect[] {
    const { peers, part } = this._options;
    return peers.views(part.session.id).map(([, view]) => view);
  }

  /**
   * Segment all slices, visible tiles first. `after` is called after each batch of tiles.
   *
   * @param context its progress counts tiles
   */
  async segment(
    engine: IEngineService,
    classifier: AnyClassifier,
    embedding: IImageMaps | undefined,
    context: IJobContext,
    after?: () => Promise<void>
  ): Promise<void> {
    const { part, prediction } = this._options;
    const { signal } = context;
    const cacheKey = part.session.record.image.digest;
    for (let batch = this.tiles.next(this.views); batch; batch = this.tiles.next(this.views)) {
      const { made, total } = this.tiles;
      const { slice } = batch;
      const share = batch.tiles.length;
      await engine.apply(
        {
          classifier,
          image: part.image,
          slice,
          out: { prediction },
          region: batch.region,
          within: part.region,
          // Send each visible tile as soon as it is made.
          written: tile => {
            if (!signal.aborted && this.tiles.add(slice, tile)) {
              this.send();
            }
          },
          cacheKey,
          ...(embedding && { embedding })
        },
        {
          signal,
          progress: (stage, done, of, message) =>
            context.progress(stage, made + (of > 0 ? (done / of) * share : 0), total, message)
        }
      );
      signal.throwIfAborted();
      this.tiles.mark(batch);
      this.send();
      await after?.();
    }
  }

  /** Send each peer the finished tiles of its view that it does not have yet. */
  send(): void {
    const { peers, part, signal } = this._options;
    const slices = new Map<number, [Peer, TileRefs][]>();
    for (const [peer, view] of peers.views(part.session.id)) {
      const unsent = signal.aborted ? [] : this.tiles.unsent(peer, view);
      if (unsent.length > 0) {
        slices.set(view.slice, [...(slices.get(view.slice) ?? []), [peer, unsent]]);
      }
    }
    for (const [slice, takers] of slices) {
      const sending = this._compose(slice, takers);
      this.sent = Promise.all([this.sent, sending]).then(
        () => undefined,
        error => log('tiles could not be sent', error) // the peer fetches them when the segmentation is complete
      );
    }
  }

  /** Wait until all tiles are sent, and close the file. */
  async close(): Promise<void> {
    await this.sent;
    this._file.close();
  }

  private async _compose(slice: number, takers: readonly [Peer, TileRefs][]): Promise<void> {
    const { peers, part, round, signal } = this._options;
    const { session, labelsVersion } = part;
    const nameOf = ({ row, column }: TileRefs[number]) => `${row} ${column}`;
    const all = new Map(takers.flatMap(([, tiles]) => tiles.map(tile => [nameOf(tile), tile] as const)));
    const composed = await composedTiles(this._file, session.labels, slice, [...all.values()], part.region);
    const bufferOf = new Map([...all.keys()].map((name, i) => [name, composed[i]!]));
    if (signal.aborted) {
      return; // the next round makes newer tiles
    }
    this.any = true;
    for (const [peer, tiles] of takers) {
      for (let first = 0; first < tiles.length;) {
        const buffers: Uint8Array[] = [];
        let bytes = 0;
        let end = first;
        for (; end < tiles.length; end++) {
          const buffer = bufferOf.get(nameOf(tiles[end]!))!;
          if (buffers.length > 0 && bytes + buffer.byteLength > EVENT_BYTES) {
            break;
          }
          buffers.push(buffer);
          bytes += buffer.byteLength;
        }
        const event = { session: session.id, round, labelsVersion, slice, tiles: tiles.slice(first, end) };
        peers.emit(session.id, 'segmentation.tiles', event, { buffers, to: peer });
        first = end;
      }
    }
  }

  private readonly _options: ShownRound.IOptions;
  private readonly _file: TileFile;
}

/** The namespace for {@link ShownRound}. */
export namespace ShownRound {
  export interface IOptions {
    part: ITrainingPart;
    /** Its number; see `Session.nextRound`. */
    round: number;
    /** uint8 [slices, rows, columns]. */
    prediction: ArrayDescriptor;
    /** Nothing is sent any more when it aborts. */
    signal: AbortSignal;
    peers: Pick<Peers, 'views' | 'emit'>;
  }
}
