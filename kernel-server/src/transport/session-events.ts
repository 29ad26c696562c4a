/** The events that tell the peers of a session about its changes. */
import { LABEL_TILE } from '../../../src/shared/limits';
import { SliceRect } from '../../../src/shared/rect';
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

  /** All labels of the session were replaced. */
  labelsReplaced({ id, labels }: Session): void {
    this._peers.emit(id, 'labels', { session: id, version: labels.version });
  }

  /** Labels changed in some rectangles: send the tiles if they are few. `rects` undefined: they are unknown. */
  async labelsEdited(session: Session, rects: readonly SliceRect[] | undefined): Promise<void> {
    const { id, labels } = session;
    const tiles = rects && tilesOf(rects);
    if (!tiles || tiles.length > EDITED_TILES_MAX) {
      this.labelsReplaced(session);
      return;
    }
    const { version } = labels;
    const buffers = await Promise.all(tiles.map(({ slice, row, column }) => labels.deflatedTile(slice, row, column)));
    this._peers.emit(id, 'labels.tiles', { session: id, version, tiles }, { buffers });
  }

  /** Do work that replaces all labels, then tell the peers if the labels have a new version, even if the work failed later. */
  async aroundReplacement<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const before = session.labels.version;
    try {
      return await work();
    } finally {
      if (session.labels.version !== before) {
        this.labelsReplaced(session);
        this.changed(session);
      }
    }
  }

  /** The segmentation is complete. `round`: the round of live segmentation that made it. */
  segmented({ id, record }: Session, round?: number): void {
    this._peers.emit(id, 'segmentation', {
      session: id,
      version: record.segmentationVersion,
      ...(round !== undefined && { round })
    });
  }

  private readonly _timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly _sent = new Map<string, number>();
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
