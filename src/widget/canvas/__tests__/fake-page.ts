/** The parts of a page with a canvas that jsdom lacks: drawing that is counted, frames that the test calls, and a size. Not a test. */

/** Size of the canvas in CSS pixels. */
const WIDTH = 500;

/** Puts the parts into jsdom. */
export function fakePage() {
  let frames: (() => void)[] = [];
  /** How often each canvas was cleared, which begins each drawing of a layer. */
  const cleared = new Map<HTMLCanvasElement, number>();
  Object.assign(globalThis, {
    ResizeObserver: class {
      observe() {}
      disconnect() {}
    },
    IntersectionObserver: class {
      observe() {}
      disconnect() {}
    },
    ImageData: class {
      data: Uint8ClampedArray;
      constructor(first: number | Uint8ClampedArray, second: number) {
        this.data = typeof first === 'number' ? new Uint8ClampedArray(first * second * 4) : first;
      }
    },
    Path2D: class {
      moveTo() {}
      lineTo() {}
      closePath() {}
    },
    requestAnimationFrame: (frame: () => void) => frames.push(frame),
    cancelAnimationFrame: () => (frames = [])
  });
  Object.defineProperty(HTMLElement.prototype, 'clientWidth', { get: () => WIDTH, configurable: true });
  HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement) {
    const clearRect = () => cleared.set(this, (cleared.get(this) ?? 0) + 1);
    const known: Record<string, unknown> = { canvas: this, clearRect };
    return new Proxy(known, { get: (target, name) => target[String(name)] ?? (() => undefined) });
  } as never;
  return {
    /** Call the frames that were asked for; returns whether there were any. */
    frame: (): boolean => {
      const now = frames;
      frames = [];
      now.forEach(run => run());
      return now.length > 0;
    },
    cleared,
    pointer: (type: string, init: PointerEventInit): PointerEvent => {
      const { pointerId = 1, pointerType = 'mouse' } = init;
      const event = new MouseEvent(type, { bubbles: true, cancelable: true, ...init });
      return Object.assign(event, { pointerId, pointerType }) as never;
    }
  };
}
