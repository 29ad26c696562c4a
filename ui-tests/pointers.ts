/** Fingers, a pen and its eraser end, as Chromium gets them from a screen: sent through the DevTools protocol. */
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { CDPSession } from '@playwright/test';

interface IPlace {
  x: number;
  y: number;
}

/** Fingers and a pen on the page; places are in CSS pixels of the window. */
export class Pointers {
  private constructor(private readonly _cdp: CDPSession) {}

  static async on(page: IJupyterLabPageFixture): Promise<Pointers> {
    const cdp = await page.context().newCDPSession(page.context().pages()[0]!);
    await cdp.send('Emulation.setTouchEmulationEnabled', { enabled: true, maxTouchPoints: 5 });
    return new Pointers(cdp);
  }

  /** Put fingers down, or move them: all fingers that are on the screen. */
  async fingers(type: 'touchStart' | 'touchMove' | 'touchEnd' | 'touchCancel', places: IPlace[]): Promise<void> {
    const touchPoints = places.map(({ x, y }, id) => ({ x, y, id, radiusX: 8, radiusY: 8, force: 1 }));
    await this._cdp.send('Input.dispatchTouchEvent', { type, touchPoints });
  }

  /** One finger goes along a path. */
  async finger(path: readonly IPlace[]): Promise<void> {
    await this.fingers('touchStart', [path[0]!]);
    for (const place of path.slice(1)) {
      await this.fingers('touchMove', [place]);
    }
    await this.fingers('touchEnd', []);
  }

  /** Two fingers, one after the other, go from a first to a last distance around a place. */
  async pinch(middle: IPlace, from: number, to: number): Promise<void> {
    const at = (distance: number): [IPlace, IPlace] => [
      { x: middle.x - distance / 2, y: middle.y },
      { x: middle.x + distance / 2, y: middle.y }
    ];
    const [first, second] = at(from);
    await this.fingers('touchStart', [first]);
    await this.fingers('touchMove', [{ x: first.x - 3, y: first.y + 2 }]);
    await this.fingers('touchStart', [first, second]);
    for (let step = 1; step <= 8; step++) {
      await this.fingers('touchMove', at(from + ((to - from) * step) / 8));
    }
    await this.fingers('touchEnd', [at(to)[0]]);
    await this.fingers('touchMove', [{ ...at(to)[0], y: middle.y + 5 }]);
    await this.fingers('touchEnd', []);
  }

  /** The pen comes near, without touching. */
  async penNear({ x, y }: IPlace): Promise<void> {
    await this._cdp.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y, pointerType: 'pen' });
  }

  async penDown({ x, y }: IPlace): Promise<void> {
    const rest = { button: 'left', buttons: 1, clickCount: 1, pointerType: 'pen', force: 0.5 } as const;
    await this._cdp.send('Input.dispatchMouseEvent', { type: 'mousePressed', x, y, ...rest });
  }

  async penTo({ x, y }: IPlace): Promise<void> {
    const rest = { button: 'left', buttons: 1, pointerType: 'pen', force: 0.5 } as const;
    await this._cdp.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y, ...rest });
  }

  async penUp({ x, y }: IPlace): Promise<void> {
    const rest = { button: 'left', buttons: 0, clickCount: 1, pointerType: 'pen' } as const;
    await this._cdp.send('Input.dispatchMouseEvent', { type: 'mouseReleased', x, y, ...rest });
  }

  /** The pen touches with its eraser end from now on. The protocol knows no eraser end, so the pen's events say so. */
  async turnPen(page: IJupyterLabPageFixture): Promise<void> {
    await page.evaluate(() => {
      for (const [name, tip, eraser] of [
        ['button', 0, 5],
        ['buttons', 1, 32]
      ] as const) {
        const { get } = Object.getOwnPropertyDescriptor(MouseEvent.prototype, name)!;
        Object.defineProperty(PointerEvent.prototype, name, {
          get(this: PointerEvent): number {
            const value = get!.call(this) as number;
            return this.pointerType === 'pen' && value === tip ? eraser : value;
          }
        });
      }
    });
  }
}
