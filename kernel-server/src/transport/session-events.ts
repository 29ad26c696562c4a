/** The events that tell the peers of a session about its changes. */
import { LABEL_TILE } from '../../../src/shared/limits';
import { Layer } from '../../../src/shared/protocol';
import { SliceRect } from '../../../src/shared/rect';
import { LayerRect } from '../session/planes';
import { Session } from '../session/session';
import { Peers } from './peers';

/** Most tiles that are sent with an event; for more, the browser asks for those that it shows. */
const EDITED_TILES_MAX = 64;
/** The least time between two `session` events of a session, in milliseconds. */
const SESSION_EVENT_MS = 100;

export class SessionEvents {
  constructor(private readonly _peers: Peers) {}

  /** Send the session's state, at once or {@link SESSION_EVENT_MS} after the last time. */
  changed(session: Session): void {
    if (this._timers.has(session.id)) {
      return;
    }
    const wait = Math.max(0, (this._sent.get(session.id) ?? 0) + SESSION_EVENT_MS - performance.now());
    const timer = setTimeout(() => {
      this._timers.delete(session.id);
      this._sent.set(session.id, performance.now());
      this._peers.emit(session.id, 'session', session.state());
    }, wait);
    this._timers.set(session.id, timer);
  }

  /** All labels of the session, or the whole correction, were replaced. */
  layerReplaced({ id, labels }: Session, layer: Layer): void {
    this._peers.emit(id, 'labels', { session: id, ...named(layer), version: labels.latest });
  }

  /** Layers changed in some rectangles: send the tiles if they are few. `rects` undefined: they are unknown. */
  async labelsEdited(session: Session, rects: readonly LayerRect[] | undefined): Promise<void> {
    const { id, labels } = session;
    for (const layer of ['labels', 'correction'] as const) {
      const own = rects?.filter(rect => (rect.layer ?? 'labels') === layer);
      const tiles = own && tilesOf(own);
      if (!tiles || tiles.length > EDITED_TILES_MAX) {
        this.layerReplaced(session, layer);
      } else if (tiles.length > 0 || (layer === 'labels' && rects?.length === 0)) {
        const { latest: version } = labels;
        const buffers = await Promise.all(
          tiles.map(({ slice, row, column }) => labels.deflatedTile(layer, slice, row, column))
        );
        this._peers.emit(id, 'labels.tiles', { session: id, ...named(layer), version, tiles }, { buffers });
      }
    }
  }

  /** Do work that replaces all labels, then tell the peers which layers have a new version, even if the work failed later. */
  async aroundReplacement<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const layers = ['labels', 'correction'] as const;
    const before = layers.map(layer => session.labels.versionOf(layer));
    try {
      return await work();
    } finally {
      const changed = layers.filter((layer, i) => session.labels.versionOf(layer) !== before[i]);
      if (changed.length > 0) {
        changed.forEach(layer => this.layerReplaced(session, layer));
        this.changed(session);
      }
    }
  }

  /** There is a new segmentation. The event names the round of live segmentation, or of a training, whose tiles on pages are those of it. */
  segmented(session: Session): void {
    const round = session.state().segmentation?.round;
    this._peers.emit(session.id, 'segmentation', {
      session: session.id,
      version: session.record.segmentationVersion,
      ...(round !== undefined && { round })
    });
  }

  private readonly _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly _sent = new Map<string, number>();
}

/** The layer of an event, which is the labels unless it says otherwise. */
function named(layer: Layer): { layer?: Layer } {
  return layer === 'labels' ? {} : { layer };
}

/** The tiles that rectangles touch, each once. */
function tilesOf(rects: readonly SliceRect[]): { slice: number; row: number; column: number }[] {
  const tiles = new Map<string, { slice: number; row: number; column: number }>();
  for (const { slice, row0, row1, column0, column1 } of rects) {
    for (let row = Math.floor(row0 / LABEL_TILE); row * LABEL_TILE < row1; row++) {
      for (let column = Math.floor(column0 / LABEL_TILE); column * LABEL_TILE < column1; column++) {
        tiles.set(`${slice}/${row}/${column}`, { slice, row, column });
      }
    }
  }
  return [...tiles.values()];
}
