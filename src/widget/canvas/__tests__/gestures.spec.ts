import { ViewTransform } from '../../base/geometry';
import { Gestures, IPointer, PALM_MS, PEN_NEAR_MS, PointerKind } from '../gestures';

function begin() {
  const log: string[] = [];
  const gestures = new Gestures({
    press: ({ id }, purpose) => log.push(`${purpose} ${id}`),
    release: ({ id }) => log.push(`release ${id}`),
    abort: () => log.push('abort'),
    pan: (from, to) => log.push(`pan ${to.x - from.x},${to.y - from.y}`),
    pinch: ([a, b], [c, d]) => log.push(`pinch ${Math.abs(a.x - b.x)} → ${Math.abs(c.x - d.x)}`),
    changed: () => undefined
  });
  /** What happened since the last call. */
  const happened = () => log.splice(0);
  return { gestures, happened };
}

const at = (id: number, kind: PointerKind, x: number, time = 0, y = 0): IPointer => ({
  id,
  kind,
  at: { x, y },
  altKey: false,
  shiftKey: false,
  accelKey: false,
  time
});
const finger = (id: number, x: number, time = 0) => at(id, 'touch', x, time);

describe('Gestures', () => {
  it.each(['mouse', 'pen', 'touch'] as const)('let one %s draw', kind => {
    const { gestures, happened } = begin();
    expect(gestures.down(at(1, kind, 10), 'draw')).toBe(true);
    expect(gestures.draws(1)).toBe(true);
    expect(gestures.move(at(1, kind, 20))).toBe(false); // the canvas passes it on to the tool
    gestures.up(at(1, kind, 20));
    expect(happened()).toEqual(['draw 1', 'release 1']);
    expect(gestures.does).toBeNull();
  });

  it('take back the stroke that two fingers began with, and zoom', () => {
    const { gestures, happened } = begin();
    gestures.down(finger(1, 100), 'draw');
    gestures.down(finger(2, 200), 'draw');
    gestures.move(finger(2, 300));
    gestures.move(finger(1, 50));
    expect(happened()).toEqual(['draw 1', 'abort', 'pinch 100 → 200', 'pinch 200 → 250']);
  });

  it('move the image with the finger that stays, and draw again only when all were lifted', () => {
    const { gestures, happened } = begin();
    gestures.down(finger(1, 100), 'draw');
    gestures.down(finger(2, 200), 'draw');
    gestures.up(finger(1, 100));
    happened();
    gestures.move(finger(2, 210));
    gestures.up(finger(2, 210));
    gestures.down(finger(3, 10), 'draw');
    expect(happened()).toEqual(['pan 10,0', 'draw 3']);
  });

  it('ignore a third finger', () => {
    const { gestures, happened } = begin();
    [1, 2].forEach(id => gestures.down(finger(id, 100 * id), 'draw'));
    happened();
    expect(gestures.down(finger(3, 400), 'draw')).toBe(false);
    gestures.move(finger(3, 410));
    gestures.up(finger(3, 410));
    gestures.move(finger(2, 300));
    expect(happened()).toEqual(['pinch 100 → 200']);
  });

  it('keep what a mouse draws when a finger touches', () => {
    const { gestures, happened } = begin();
    gestures.down(at(1, 'mouse', 10), 'draw');
    expect(gestures.down(finger(2, 50), 'draw')).toBe(false);
    gestures.up(at(1, 'mouse', 20));
    expect(happened()).toEqual(['draw 1', 'release 1']);
  });

  it('ignore a hand while a pen is down or near, and shortly after', () => {
    const { gestures, happened } = begin();
    const touches = (time: number) => {
      const counted = gestures.down(finger(9, 0, time), 'draw');
      gestures.up(finger(9, 0, time));
      return counted;
    };
    gestures.pen('near', 1000);
    expect(touches(1000 + PEN_NEAR_MS - 1)).toBe(false);
    gestures.pen('down', 10_000);
    expect(touches(60_000)).toBe(false); // a pen that is held still
    gestures.pen('away', 70_000);
    expect(touches(70_000 + PALM_MS - 1)).toBe(false);
    expect(happened()).toEqual([]);
    expect(touches(70_000 + PALM_MS)).toBe(true);
    gestures.pen('near', 80_000); // a pen that went out of reach unnoticed
    expect(touches(80_000 + PEN_NEAR_MS)).toBe(true);
  });

  it('take back what the hand did before its pen came', () => {
    const { gestures, happened } = begin();
    gestures.down(finger(1, 100), 'draw');
    gestures.pen('near', 10);
    expect(happened()).toEqual(['draw 1', 'abort']);
    gestures.pen('down', 20);
    gestures.down(at(2, 'pen', 50, 20), 'draw');
    gestures.move(finger(1, 130, 30));
    gestures.up(finger(1, 130, 40));
    gestures.up(at(2, 'pen', 60, 50));
    expect(happened()).toEqual(['draw 2', 'release 2']);
  });

  it('stop zooming when a pen comes down', () => {
    const { gestures, happened } = begin();
    [1, 2].forEach(id => gestures.down(finger(id, 100 * id), 'draw'));
    gestures.pen('down', 10);
    gestures.down(at(3, 'pen', 50, 10), 'draw');
    happened();
    gestures.move(finger(2, 300, 20));
    expect(happened()).toEqual([]);
    expect(gestures.draws(3)).toBe(true);
  });

  it('take back a finger’s stroke that the system cancels, and keep a pen’s', () => {
    const { gestures, happened } = begin();
    gestures.down(finger(1, 100), 'draw');
    gestures.cancel(finger(1, 100));
    gestures.down(at(2, 'pen', 50), 'erase');
    gestures.cancel(at(2, 'pen', 50));
    expect(happened()).toEqual(['draw 1', 'abort', 'erase 2', 'release 2']);
  });

  it('keep what was drawn when the canvas goes away', () => {
    const { gestures, happened } = begin();
    gestures.down(finger(1, 100), 'draw');
    gestures.end();
    gestures.end();
    expect(happened()).toEqual(['draw 1', 'release 1']);
  });
});

describe('A pinch', () => {
  it('keeps the image points under the fingers', () => {
    const view = new ViewTransform({ rows: 600, columns: 800 });
    view.resize(800, 600);
    const from = [
      { x: 300, y: 200 },
      { x: 400, y: 260 }
    ] as const;
    const under = from.map(point => view.toImage(point));
    // Twice as far apart, and moved.
    const to = [
      { x: 260, y: 190 },
      { x: 460, y: 310 }
    ] as const;
    view.pinch(from, to);
    expect(view.scale).toBeCloseTo(2);
    to.forEach((point, i) => {
      expect(view.toImage(point).x).toBeCloseTo(under[i]!.x);
      expect(view.toImage(point).y).toBeCloseTo(under[i]!.y);
    });
  });
});
