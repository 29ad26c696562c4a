import { BridgeError, Rect } from '../../../shared';
import { ICandidates, IPrompts } from '../../../sam';
import { DEFAULT_MODEL } from '../../../shared';
import { AbsentSuggestion } from '../absent-suggestion';
import { placeOf } from '../prompts';
import { IPixel, SINGLE } from '../suggestion';
import { IPointDecoder, Suggestions } from '../suggestions';

const image = { rows: 512, columns: 512 };
const tick = () => new Promise(resolve => setTimeout(resolve, 0));

/** Three squares around a pixel, of 10, 20 and 40 samples. */
function candidates({ row, column }: IPixel, scores = [0.5, 0.9, 0.7]): ICandidates {
  const lowRes = [10, 20, 40].map(side => {
    const logits = new Float32Array(256 * 256).fill(-8);
    for (let r = -side / 2; r < side / 2; r++) {
      for (let c = -side / 2; c < side / 2; c++) {
        logits[(Math.floor(row / 2) + r) * 256 + Math.floor(column / 2) + c] = 8;
      }
    }
    return logits;
  });
  return { lowRes, scores, single: null };
}

/** The candidates, and a mask for clear prompts of 30 samples. */
function withSingle(at: IPixel): ICandidates {
  const [lowRes] = candidates(at).lowRes as [Float32Array];
  return { ...candidates(at), single: { lowRes: lowRes.map(logit => logit * 2), score: 0.99 } };
}

const inside = (row: number, column: number) => ({ points: [{ row, column, label: 1 as const }] });
const outside = (row: number, column: number) => ({ points: [{ row, column, label: 0 as const }] });

function make(greys?: (rect: Rect) => Float32Array | null) {
  const asked: {
    at: IPixel;
    prompts: IPrompts;
    signal: AbortSignal;
    urgent: boolean;
    resolve(c: ICandidates): void;
    reject(e: unknown): void;
  }[] = [];
  const suggestions = new Suggestions({ image, ...(greys && { greys }) });
  suggestions.decoder = {
    manifest: DEFAULT_MODEL,
    suggest: (prompts, signal, urgent) =>
      new Promise((resolve, reject) => asked.push({ at: placeOf(prompts), prompts, signal, urgent, resolve, reject }))
  };
  const answer = async (index = asked.length - 1) => {
    asked[index]!.resolve(candidates(asked[index]!.at));
    await tick();
  };
  return { suggestions, asked, answer };
}

describe('Suggestions', () => {
  it('shows the scale of the highest score for the pixel under the pointer', async () => {
    const { suggestions, asked, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    expect(suggestions.busy).toBe(true);
    await answer();
    expect(asked[0]!.prompts.points).toEqual([{ row: 200, column: 240, label: 1 }]);
    expect(suggestions.busy).toBe(false);
    expect(suggestions.current).toMatchObject({ scale: 1, at: { row: 200, column: 240 } });
  });

  it('moves the border to edges where the pointer rests, and at the earlier places only of what is taken', async () => {
    const refined: string[] = [];
    const { suggestions, asked, answer } = make(({ row0, row1, column0, column1 }) => {
      refined.push(`${row0}-${row1}`);
      return new Float32Array((row1 - row0) * (column1 - column0));
    });
    suggestions.options.set({ edges: true });
    suggestions.move({ row: 200, column: 240 }, 10);
    suggestions.move({ row: 202, column: 240 }, 10);
    await answer(0);
    expect(suggestions.current).toMatchObject({ at: { row: 200, column: 240 }, isRefined: false });
    expect(refined).toEqual([]);
    // A click takes it before the newer answer is there.
    const taken = suggestions.accept({ row: 201, column: 241 });
    expect(await taken).toMatchObject({ at: { row: 200, column: 240 }, isRefined: true });
    expect(asked.length).toBe(2);

    suggestions.move({ row: 300, column: 240 }, 10);
    suggestions.move({ row: 302, column: 240 }, 10);
    await answer(2);
    await answer(3);
    expect(suggestions.current).toMatchObject({ at: { row: 302, column: 240 }, isRefined: true });
    expect(refined.length).toBe(2);
    // Held with a point inside, it is the same mask with the border where it will be accepted.
    suggestions.move({ row: 310, column: 240 }, 10);
    suggestions.move({ row: 312, column: 240 }, 10);
    await answer(4);
    expect(suggestions.current?.isRefined).toBe(false);
    expect(suggestions.add(inside(311, 240))).toBe(true);
    expect(suggestions.current).toMatchObject({ at: { row: 310, column: 240 }, isRefined: true });
  });

  describe('in a window', () => {
    const window: Rect = { row0: 0, row1: 256, column0: 0, column1: 256 };
    /** A decoder of a window, and one that sees all; a square of `side` samples around (100, 100), cut by the window if it is large. */
    const makeWindow = (side: (within: Rect | undefined) => number) => {
      const asked: { within: Rect | undefined; prompts: IPrompts; urgent: boolean; go(): void }[] = [];
      const decoderOf = (within?: Rect): IPointDecoder => ({
        manifest: DEFAULT_MODEL,
        ...(within && {
          within,
          part: 0.01,
          wider: ({ row1 }: Rect) => (row1 >= within.row1 ? decoderOf() : null)
        }),
        suggest: (prompts, _, urgent) =>
          new Promise(resolve => {
            const logits = new Float32Array(256 * 256).fill(-8);
            const half = side(within) / 2;
            for (let row = Math.max(0, 100 - half); row < Math.min(256, 100 + half); row++) {
              logits.fill(8, row * 256 + Math.max(0, 100 - half), row * 256 + Math.min(256, 100 + half));
            }
            const lowRes = [logits, logits, logits];
            asked.push({
              within,
              prompts,
              urgent,
              go: () => resolve({ lowRes, scores: [0.9, 0.8, 0.7], single: null })
            });
          })
      });
      const suggestions = new Suggestions({ image });
      suggestions.decoder = { ...decoderOf(), serving: () => decoderOf(window) };
      const go = async () => {
        asked[asked.length - 1]!.go();
        await tick();
      };
      return { suggestions, asked, go };
    };

    it('shows what a wider window sees of an object that is cut, and takes nothing else', async () => {
      const { suggestions, asked, go } = makeWindow(within => (within ? 400 : 100));
      suggestions.options.set({ scale: 'small' });
      suggestions.move({ row: 100, column: 100 }, 10);
      await go();
      expect(asked.map(({ within }) => within)).toEqual([window, undefined]);
      expect(suggestions.isExact).toBe(false); // the cut one is shown until the wider one has answered
      const taken = suggestions.accept({ row: 100, column: 100 });
      await tick();
      expect(asked[2]).toMatchObject({ within: window, urgent: true });
      await go();
      expect(asked[3]).toMatchObject({ within: undefined, urgent: true });
      await go();
      expect((await taken)!.seen).toEqual({ row0: 0, row1: 512, column0: 0, column1: 512 });

      // Refined, it is decoded where it was seen whole, with its mask.
      suggestions.move({ row: 160, column: 100 }, 10);
      await go();
      await go();
      expect(suggestions.isExact).toBe(true);
      expect(suggestions.add(inside(161, 100))).toBe(true);
      expect(suggestions.add(outside(240, 100))).toBe(true);
      expect(asked[asked.length - 1]!.within).toBeUndefined();
      expect(asked[asked.length - 1]!.prompts.mask).toBeDefined();
    });

    it('looks no wider for an object that is seen whole, and for Auto where the window shows nothing else', async () => {
      const whole = makeWindow(() => 60);
      whole.suggestions.move({ row: 100, column: 100 }, 10);
      await whole.go();
      expect(whole.asked).toHaveLength(1);
      expect(whole.suggestions.current!.seen).toEqual(window);
      const cut = makeWindow(within => (within ? 400 : 100));
      cut.suggestions.move({ row: 100, column: 100 }, 10);
      await cut.go();
      expect(cut.suggestions.current).toBeNull();
      await cut.go();
      expect(cut.suggestions.current!.seen.row1).toBe(512);
    });
  });

  it('begins with no mask of more than a third of the image, until the user takes a scale or has accepted one as large', async () => {
    const { suggestions, asked, answer } = make();
    const { lowRes, ...rest } = candidates({ row: 200, column: 240 });
    const all = { ...rest, lowRes: lowRes.map(() => new Float32Array(256 * 256).fill(8)) };
    suggestions.move({ row: 200, column: 240 }, 10);
    asked[0]!.resolve(all);
    await tick();
    expect(suggestions.current).toBeNull();
    suggestions.options.set({ scale: 'large' });
    expect(suggestions.current).toMatchObject({ scale: 2, area: 512 * 512 });
    suggestions.learn(suggestions.current!, 0);
    suggestions.options.set({ scale: 'auto' });
    expect(suggestions.current).not.toBeNull();
    suggestions.move({ row: 300, column: 240 }, 10);
    await answer();
    expect(suggestions.current).toMatchObject({ scale: 1 });
  });

  it('accepts nothing where all masks are too large to begin with', async () => {
    const { suggestions, asked } = make();
    const accepted = suggestions.accept({ row: 200, column: 240 });
    const { lowRes, ...rest } = candidates({ row: 200, column: 240 });
    asked[0]!.resolve({ ...rest, lowRes: lowRes.map(() => new Float32Array(256 * 256).fill(8)) });
    expect(await accepted).toBeNull();
  });

  it('tells why it suggests nothing once the pointer rests, and as long as it moves over such places', async () => {
    const { suggestions, asked } = make();
    let hides = false;
    const absent = new AbsentSuggestion({ suggestions, hides: () => hides, restMs: 20 });
    const told: (string | null)[] = [];
    absent.changed.connect(() => told.push(absent.why));
    const rest = () => new Promise(resolve => setTimeout(resolve, 60));
    const all = { lowRes: [0, 1, 2].map(() => new Float32Array(256 * 256).fill(8)), scores: [1, 1, 1], single: null };
    const move = async (column: number, answer: ICandidates) => {
      suggestions.move({ row: 200, column }, 0);
      asked[asked.length - 1]!.resolve(answer);
      await tick();
    };
    await move(240, all);
    expect(told).toEqual([]);
    await rest();
    expect(told).toEqual(['large']);
    for (let column = 241; column < 250; column++) {
      await move(column, all);
    }
    await rest();
    expect(told).toEqual(['large']);
    await move(250, candidates({ row: 200, column: 250 }));
    expect(told).toEqual(['large', null]);
    hides = true;
    await move(251, candidates({ row: 200, column: 251 }));
    suggestions.leave();
    await rest();
    expect(told).toEqual(['large', null]);
    await move(252, candidates({ row: 200, column: 252 }));
    await rest();
    expect(told).toEqual(['large', null, 'weak']);
    suggestions.add(inside(200, 252));
    expect(told).toEqual(['large', null, 'weak', null]);
    absent.dispose();
  });

  it('begins with no ragged mask, until the user takes its scale', async () => {
    const { suggestions, asked } = make();
    const { lowRes, ...rest } = candidates({ row: 200, column: 240 });
    const ragged = Float32Array.from({ length: 256 * 256 }, (_, i) => (i % 3 === 0 && (i >> 8) % 2 === 0 ? 0.3 : -0.3));
    const all = {
      ...rest,
      lowRes: lowRes.map((_, scale) => (scale === 0 ? ragged : new Float32Array(256 * 256).fill(8)))
    };
    suggestions.move({ row: 200, column: 240 }, 10);
    asked[0]!.resolve(all);
    await tick();
    expect(suggestions.current).toBeNull();
    suggestions.options.set({ scale: 'small' });
    expect(suggestions.current).toMatchObject({ scale: 0 });
  });

  it('shows answers while the pointer moves on, but none older than the shown one', async () => {
    const { suggestions, answer } = make();
    [200, 210, 220].forEach(row => suggestions.move({ row, column: 240 }, 40));
    await answer(1);
    expect(suggestions.current?.at.row).toBe(210);
    await answer(0);
    expect(suggestions.current?.at.row).toBe(210);
    await answer(2);
    expect(suggestions.current?.at.row).toBe(220);
  });

  describe('decoded ahead', () => {
    const near = { row: 204, column: 240 };
    const ahead = () => {
      const made = make();
      const { suggestions, asked } = made;
      const suggest: IPointDecoder['suggest'] = (prompts, signal, urgent) =>
        new Promise((resolve, reject) =>
          asked.push({ at: placeOf(prompts), prompts, signal, urgent, resolve, reject })
        );
      suggestions.decoder = { manifest: DEFAULT_MODEL, first: () => candidates(near), suggest };
      return made;
    };

    it('stand at once, until SAM has answered', async () => {
      const { suggestions, answer } = ahead();
      suggestions.move({ row: 200, column: 240 }, 10);
      expect(suggestions.current).toMatchObject({ scale: 1, at: { row: 200, column: 240 } });
      expect(suggestions).toMatchObject({ isExact: false, busy: true });
      suggestions.options.set({ scale: 'large' });
      expect(suggestions.current).toMatchObject({ scale: 2 });
      expect(suggestions.isExact).toBe(false);
      await answer();
      expect(suggestions).toMatchObject({ isExact: true, busy: false });
      expect(suggestions.current!.scale).toBe(2);
      expect(suggestions.firstTimes).toHaveLength(1);
      expect(suggestions.times).toHaveLength(1);
    });

    it('are not accepted or held: SAM answers first', async () => {
      const { suggestions, asked, answer } = ahead();
      suggestions.move({ row: 200, column: 240 }, 10);
      const accepted = suggestions.accept({ row: 200, column: 240 });
      await tick();
      expect(asked).toHaveLength(2);
      await answer();
      expect((await accepted)!.bounds).toMatchObject({ row0: 178 });
      suggestions.move({ row: 300, column: 240 }, 10);
      expect(suggestions.isExact).toBe(false);
      suggestions.add(inside(300, 240));
      await answer();
      expect(suggestions).toMatchObject({ isExact: true });
      expect(suggestions.current!.bounds).toMatchObject({ row0: 278 });
    });

    it('are no example for others: SAM answers first; the example is proposed itself until it is accepted', async () => {
      const { suggestions, answer } = ahead();
      suggestions.move({ row: 200, column: 240 }, 10);
      const pointed = suggestions.example();
      await answer();
      expect(await pointed).toMatchObject({ isProposed: true, suggestion: { bounds: { row0: 178 } } });
      await answer(0);
      await suggestions.accept({ row: 200, column: 240 });
      expect(await suggestions.example()).toMatchObject({ isProposed: false, suggestion: { bounds: { row0: 178 } } });
      suggestions.clear();
      expect(await suggestions.example()).toBeNull();
    });

    it('are not replaced by an answer to where the pointer was, if its mask is not under the pointer', async () => {
      const { suggestions, answer } = ahead();
      [100, 200, 210].forEach(row => suggestions.move({ row, column: 240 }, 4));
      await answer(0);
      expect(suggestions).toMatchObject({ isExact: false, current: { at: { row: 210 } } });
      await answer(1);
      expect(suggestions).toMatchObject({ isExact: true, current: { at: { row: 200 } } });
    });
  });

  it('turns through the scales, and keeps the chosen one wherever the pointer goes, until the user takes Auto', async () => {
    const { suggestions, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    await answer();
    const turned = [1, 1, 1, -1].map(by => {
      suggestions.turn(by, by > 0);
      return suggestions.current?.scale;
    });
    expect(turned).toEqual([2, 0, 1, 0]);
    suggestions.turn(-1);
    expect(suggestions.current?.scale).toBe(0); // without going around
    await suggestions.accept({ row: 200, column: 240 });
    suggestions.clear(); // another slice
    suggestions.move({ row: 420, column: 240 }, 10);
    await answer();
    expect(suggestions.current?.scale).toBe(0);
    suggestions.options.set({ scale: 'auto' });
    expect(suggestions.current?.scale).toBe(1);
  });

  it('turns the scale while nothing is shown, from the chosen one on', async () => {
    const { suggestions, answer } = make();
    suggestions.turn(-1, true);
    expect(suggestions.options.values.scale).toBe('large');
    suggestions.turn(-1, true);
    suggestions.move({ row: 200, column: 240 }, 10);
    await answer();
    expect(suggestions.current?.scale).toBe(1);
  });

  it('accepts the shown suggestion, and shows none until the pointer moves away', async () => {
    const { suggestions, asked, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    await answer();
    const taken = await suggestions.accept({ row: 203, column: 241 });
    expect(taken?.at.row).toBe(200);
    expect(suggestions.current).toBeNull();
    suggestions.move({ row: 204, column: 241 }, 10);
    expect(asked).toHaveLength(1);
    suggestions.move({ row: 240, column: 241 }, 10);
    expect(asked).toHaveLength(2);
  });

  it('decodes the clicked pixel if the shown suggestion does not contain it', async () => {
    const { suggestions, asked, answer } = make();
    suggestions.move({ row: 100, column: 100 }, 10);
    await answer();
    const accepted = suggestions.accept({ row: 400, column: 400 });
    expect(asked).toHaveLength(2);
    await answer();
    expect((await accepted)?.at.row).toBe(400);
  });

  it('accepts the mask of the clicked pixel even if the pointer moves on or leaves, or the slice changes', async () => {
    for (const then of ['move', 'leave', 'clear'] as const) {
      const { suggestions, asked, answer } = make();
      const accepted = suggestions.accept({ row: 400, column: 400 });
      expect(suggestions.accepting).toBe(1);
      if (then === 'move') {
        suggestions.move({ row: 100, column: 100 }, 10);
        await answer(1);
        expect(suggestions.current?.at.row).toBe(100);
      } else {
        suggestions[then]();
      }
      expect(asked.map(({ urgent }) => urgent)).toEqual(then === 'move' ? [true, false] : [true]);
      expect(asked[0]!.signal.aborted).toBe(false);
      await answer(0);
      expect((await accepted)?.at).toEqual({ row: 400, column: 400 });
      expect(suggestions.accepting).toBe(0);
      expect(suggestions.current?.at.row).toBe(then === 'move' ? 100 : undefined);
    }
  });

  it('uses the chosen scale for a click beside the suggestion', async () => {
    const { suggestions, asked, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    await answer();
    suggestions.turn(1);
    const accepted = suggestions.accept({ row: 300, column: 240 });
    expect(asked).toHaveLength(2);
    await answer();
    expect((await accepted)?.scale).toBe(2);
  });

  it('hides a rejected suggestion, and drops those that are being decoded', async () => {
    const { suggestions, asked, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    suggestions.reject();
    expect(asked[0]!.signal.aborted).toBe(true);
    await answer();
    expect(suggestions.current).toBeNull();
  });

  it('emits the decoder’s errors, but not cancelled requests', async () => {
    const { suggestions, asked } = make();
    const failed: string[] = [];
    suggestions.failed.connect((_, error) => failed.push(error.message));
    suggestions.move({ row: 1, column: 1 }, 4);
    suggestions.move({ row: 9, column: 9 }, 4);
    asked[0]!.reject(new BridgeError('cancelled', 'overtaken'));
    asked[1]!.reject(new BridgeError('compute', 'The decoder stopped.'));
    await tick();
    expect(failed).toEqual(['The decoder stopped.']);
    expect(suggestions.busy).toBe(false);
  });

  it('holds what is shown, asks with all prompts and the mask so far, and shows the mask for clear prompts', async () => {
    const { suggestions, asked } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    asked[0]!.resolve(withSingle(asked[0]!.at));
    await tick();
    const shown = suggestions.current!;
    expect(suggestions.add(inside(202, 241))).toBe(true);
    expect(asked).toHaveLength(1); // nothing to decode
    expect(suggestions.current).toBe(shown);
    suggestions.move({ row: 300, column: 300 }, 10);
    expect(asked).toHaveLength(1);

    suggestions.add(outside(300, 300));
    expect(asked[1]).toMatchObject({ urgent: true, prompts: suggestions.held! });
    expect(asked[1]!.prompts.mask).toBe(shown.logits);
    expect(suggestions.current).toBe(shown); // until the answer is there
    asked[1]!.resolve(withSingle(asked[1]!.at));
    await tick();
    expect(suggestions.current).toMatchObject({ scale: SINGLE, at: { row: 202, column: 241 } });

    // The scales in turn, and none is kept.
    expect([1, 1, 1, 1].map(by => (suggestions.turn(by), suggestions.current!.scale))).toEqual([0, 1, 2, SINGLE]);
    expect(suggestions.options.values.scale).toBe('auto');

    // Back to the one that was held first, without decoding.
    expect(suggestions.removeLast()).toBe(true);
    expect(suggestions.current).toMatchObject({ scale: shown.scale, candidates: shown.candidates });
    expect(suggestions.removeLast()).toBe(true);
    expect([suggestions.current, suggestions.held, asked.length]).toEqual([null, null, 2]);
    expect(suggestions.removeLast()).toBe(false);
  });

  it('chooses a scale for clear prompts alone, and Auto gives their usual mask back', async () => {
    const { suggestions, asked } = make();
    let told = 0;
    suggestions.prompted.connect(() => told++);
    suggestions.add({ box: { row0: 180, row1: 220, column0: 220, column1: 260 } });
    asked[0]!.resolve(withSingle({ row: 200, column: 240 }));
    await tick();
    expect([suggestions.current!.scale, suggestions.turned, told]).toEqual([SINGLE, null, 1]);
    suggestions.choose('large');
    expect([suggestions.current!.scale, suggestions.turned, told]).toEqual([2, 2, 2]);
    expect(suggestions.options.values.scale).toBe('auto');
    suggestions.choose('auto');
    expect([suggestions.current!.scale, suggestions.turned]).toEqual([SINGLE, null]);
    suggestions.choose('small');
    expect((await suggestions.accept({ row: 0, column: 0 }))!.scale).toBe(0);
    suggestions.choose('medium');
    expect([suggestions.turned, suggestions.options.values.scale]).toEqual([null, 'medium']);
    suggestions.options.set({ scale: 'auto' });
  });

  it('decodes the newest prompts only, and accepts their answer when Enter comes before it', async () => {
    const { suggestions, asked, answer } = make();
    const box = { row0: 150, row1: 250, column0: 200, column1: 300 };
    suggestions.add({ box });
    suggestions.add(inside(200, 240));
    suggestions.add(outside(160, 210));
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
    expect(asked[2]!.prompts).toMatchObject({ box, points: [{ label: 1 }, { label: 0 }] });
    const accepted = suggestions.accept(suggestions.place!);
    expect([suggestions.held, suggestions.accepting]).toEqual([null, 1]);
    suggestions.clear(); // another slice
    await answer(2);
    expect((await accepted)?.at).toEqual({ row: 200, column: 240 });
    expect(suggestions.current).toBeNull();
  });

  it('suggests what is under a pointer that rests, once another slice is ready', async () => {
    const { suggestions, asked } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    const suggest: IPointDecoder['suggest'] = async prompts => candidates(placeOf(prompts));
    suggestions.decoder = null;
    expect([suggestions.current, asked[0]!.signal.aborted]).toEqual([null, true]);
    suggestions.decoder = { manifest: DEFAULT_MODEL, suggest };
    await tick();
    expect(suggestions.current).toMatchObject({ at: { row: 200, column: 240 } });
    // Not where the pointer was before it left, and not on a slice that is not ready.
    suggestions.leave();
    suggestions.decoder = { manifest: DEFAULT_MODEL, suggest };
    await tick();
    expect(suggestions.current).toBeNull();
    suggestions.decoder = null;
    suggestions.move({ row: 100, column: 140 }, 10);
    suggestions.decoder = { manifest: DEFAULT_MODEL, suggest };
    await tick();
    expect(suggestions.current).toMatchObject({ at: { row: 100, column: 140 } });
  });

  it('drops prompts with the slice, by Escape, and shows nothing that comes late', async () => {
    for (const end of ['clear', 'reject'] as const) {
      const { suggestions, asked, answer } = make();
      let prompted = 0;
      suggestions.prompted.connect(() => prompted++);
      suggestions.add(inside(200, 240));
      suggestions.leave(); // the pointer may leave the image
      expect(suggestions.held).not.toBeNull();
      suggestions[end]();
      await answer(0);
      expect([suggestions.current, suggestions.held, asked[0]!.signal.aborted, prompted]).toEqual([
        null,
        null,
        true,
        2
      ]);
    }
  });

  it('adds no prompt outside of what the decoder sees, and not more than it takes', () => {
    const { suggestions } = make();
    const within = { row0: 100, row1: 200, column0: 100, column1: 200 };
    suggestions.decoder = { manifest: DEFAULT_MODEL, within, suggest: () => new Promise(() => undefined) };
    expect(suggestions.add(inside(50, 150))).toBe(false);
    expect(suggestions.add(outside(150, 150))).toBe(false); // it says nothing about the object
    expect(suggestions.add({ box: { row0: 50, row1: 150, column0: 150, column1: 500 } })).toBe(true);
    expect(suggestions.held?.box).toEqual({ row0: 100, row1: 150, column0: 150, column1: 200 });
    const many = Array.from({ length: 70 }, (_, i) => ({ row: 101, column: 101 + i, label: 1 as const }));
    suggestions.add({ points: many });
    expect(suggestions.held?.points).toHaveLength(64);
    expect(suggestions.add(inside(150, 150))).toBe(false);
  });

  it('asks the decoder of the last answer again while it sees all prompts, and gives no other one that mask', async () => {
    const { suggestions } = make();
    const asked: [string, boolean][] = [];
    const decoderOf = (name: string, within?: Rect): IPointDecoder => ({
      manifest: DEFAULT_MODEL,
      ...(within && { within }),
      suggest: async prompts => {
        asked.push([name, prompts.mask !== undefined]);
        return candidates(placeOf(prompts));
      }
    });
    const window = decoderOf('window', { row0: 100, row1: 300, column0: 100, column1: 300 });
    const whole = decoderOf('whole');
    suggestions.decoder = { ...whole, serving: ({ points }) => (points.length < 3 ? window : whole) };
    for (const prompt of [inside(200, 240), outside(250, 250), inside(400, 240), outside(450, 250)]) {
      suggestions.add(prompt);
      await tick();
    }
    expect(asked).toEqual([
      ['window', false],
      ['window', true],
      ['whole', false],
      ['whole', true]
    ]);
  });

  it('has bounds that hold every pixel of the mask', async () => {
    const { suggestions, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    await answer();
    const { bounds } = suggestions.current!;
    const mask = suggestions.current!.mask();
    let inside = 0;
    mask.forEach((value, at) => {
      const row = Math.floor(at / image.columns);
      const column = at % image.columns;
      if (value) {
        inside++;
        expect(row >= bounds.row0 && row < bounds.row1 && column >= bounds.column0 && column < bounds.column1).toBe(
          true
        );
      }
    });
    expect(inside).toBeGreaterThan(1000);
    expect(bounds.row1 - bounds.row0).toBeLessThan(60);
  });

  it('calls a rectangle uniform only if all its pixels are equal', async () => {
    const { suggestions, answer } = make();
    suggestions.move({ row: 200, column: 240 }, 10);
    await answer();
    suggestions.turn(1);
    const suggestion = suggestions.current!;
    const seen = new Set<number | undefined>();
    for (let row0 = 0; row0 < image.rows; row0 += 16) {
      for (let column0 = 0; column0 < image.columns; column0 += 16) {
        const region = { row0, row1: row0 + 16, column0, column1: column0 + 16 };
        const uniform = suggestion.uniform(region);
        seen.add(uniform);
        if (uniform !== undefined) {
          expect(suggestion.region(region).every(value => value === uniform)).toBe(true);
        }
      }
    }
    expect(seen).toEqual(new Set([0, 1, undefined]));
  });
});
