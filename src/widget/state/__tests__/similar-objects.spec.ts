/** Proposals like an object: shown as they are found, dropped, taken together, and given up. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { MOBILE_SAM } from '../../../shared/models/mobile-sam';
import { packPart, unpackLogits } from '../../../sam';
import {
  decodeDiscs,
  discEmbedding,
  discLogits,
  DISCS,
  greysOfDiscs,
  SIZE
} from '../../../sam/__tests__/support/discs';
import { BridgeError, LABEL_TILE, Params, Rect } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { IPixel, Suggestion } from '../suggestion';
import { SuggestionOptions } from '../suggestion-options';
import { ITakenObjects, SimilarObjects } from '../similar-objects';
import { IExample, IPointDecoder } from '../suggestions';

describe('SimilarObjects', () => {
  let similar: SimilarObjects;

  const exampleOf = (more: Partial<IPointDecoder> = {}): IExample => ({
    suggestion: new Suggestion(
      DISCS[0]!,
      { lowRes: [discLogits(DISCS[0]!)], scores: [0.9], single: null },
      0,
      SIZE,
      MOBILE_SAM
    ),
    decoder: {
      manifest: MOBILE_SAM,
      embedding: () => discEmbedding(),
      suggest: async prompts => {
        await new Promise(resolve => setTimeout(resolve)); // as a worker answers
        return decodeDiscs(prompts);
      },
      ...more
    }
  });
  const none = () => false;
  const places = (labelled: (at: IPixel) => boolean = none) => ({
    slice: 0,
    slices: [0],
    seen: { row0: 0, row1: SIZE.rows, column0: 0, column1: SIZE.columns },
    labelled
  });
  const pixels = (tiles: readonly { bits: Uint8Array }[]) =>
    tiles.reduce(
      (sum, { bits }) => sum + bits.reduce((all, byte) => all + byte.toString(2).replace(/0/g, '').length, 0),
      0
    );

  beforeEach(() => {
    similar = new SimilarObjects({ image: SIZE, link: new FakeLink() });
  });
  afterEach(() => similar.dispose());

  it('shows what it finds one after the other, and takes all as one mask', async () => {
    const counts: number[] = [];
    similar.changed.connect(() => counts.push(similar.count));
    expect(await similar.find(exampleOf(), places())).toBe(9);
    expect(new Set(counts)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(similar.searching).toBeNull();
    const group = similar.on(0);
    const at = DISCS[5]!;
    const around = { row0: at.row - 50, row1: at.row + 50, column0: at.column - 50, column1: at.column + 50 };
    const inside = group!.region(around);
    expect(inside[50 * 100 + 50]).toBe(1);
    expect(inside[0]).toBe(0);
    expect(
      group!.region({ row0: 0, row1: 64, column0: 0, column1: 64 }, 4)[(at.row >> 4) * 64 + (at.column >> 4)]
    ).toBe(1);
    const [{ tiles }] = similar.take() as [ITakenObjects];
    expect(pixels(tiles) / (9 * Math.PI * 40 ** 2)).toBeCloseTo(1, 1);
    expect(tiles.every(({ row, column }) => row < SIZE.rows / LABEL_TILE && column < SIZE.columns / LABEL_TILE)).toBe(
      true
    );
    expect([similar.on(0), similar.count]).toEqual([null, 0]);
  });

  it('leaves out objects of another grey', async () => {
    const greys = greysOfDiscs(index => (index === 3 ? 250 : 150));
    similar = new SimilarObjects({ image: SIZE, link: new FakeLink(), greys });
    expect(await similar.find(exampleOf(), places())).toBe(8);
    expect(similar.on(0)!.objects.some(object => object.contains(DISCS[3]!))).toBe(false);
  });

  it('proposes objects in the shape that the user chose, as a click would take them, also when it is chosen later', async () => {
    const options = new SuggestionOptions();
    options.set({ connected: true, filled: true, smooth: true, grow: 2, edges: true });
    // The image has the discs, but three pixels wider than SAM draws them.
    const greys = ({ row0, row1, column0, column1 }: Rect, slice: number) =>
      Float32Array.from({ length: (row1 - row0) * (column1 - column0) }, (_, i) => {
        const row = row0 + Math.floor(i / (column1 - column0));
        const column = column0 + (i % (column1 - column0));
        const isInside = DISCS.some(disc => Math.hypot(disc.row - row, disc.column - column) <= disc.radius + 3);
        return slice === 0 && isInside ? 200 + (i % 3) : 100 + (i % 3);
      });
    similar = new SimilarObjects({ image: SIZE, link: new FakeLink(), options, greys });
    await similar.find(exampleOf(), places());
    const clicked = () => {
      const candidates = { lowRes: [discLogits(DISCS[5]!)], scores: [0.9], single: null };
      return new Suggestion(DISCS[5]!, candidates, 0, SIZE, MOBILE_SAM, undefined, options.values, undefined, rect =>
        greys(rect, 0)
      );
    };
    const areas: number[] = [];
    const check = () => {
      const { bounds } = clicked();
      const shown = similar.on(0)!.region(bounds);
      expect(Buffer.from(shown).equals(Buffer.from(clicked().region(bounds)))).toBe(true);
      areas.push(shown.reduce((sum, bit) => sum + bit, 0));
    };
    check();
    expect(areas[0]! / (Math.PI * 45 ** 2)).toBeCloseTo(1, 1);
    options.set({ scale: 'large' });
    expect(similar.reshaping).toBeNull();
    options.set({ grow: -5 });
    options.set({ grow: -2 });
    await similar.reshaping;
    check();
    expect(areas[1]! / (Math.PI * 41 ** 2)).toBeCloseTo(1, 1);
    const [{ tiles }] = similar.take() as [ITakenObjects];
    expect(pixels(tiles) / (9 * areas[1]!)).toBeCloseTo(1, 2);
  });

  it('proposes the example too while it is only pointed at, but not where a label is', async () => {
    const example = { ...exampleOf(), isProposed: true };
    expect(await similar.find(example, places())).toBe(10);
    expect([similar.others, similar.drop(0, DISCS[0]!), similar.others]).toEqual([9, true, 9]);
    const onFirst = ({ row, column }: IPixel) => Math.hypot(row - DISCS[0]!.row, column - DISCS[0]!.column) <= 40;
    expect([await similar.find(example, places(onFirst)), similar.others]).toEqual([9, 9]);
  });

  it('drops the one under a click, and proposes nothing that has a label', async () => {
    const labelled = ({ row, column }: IPixel) => Math.hypot(row - DISCS[3]!.row, column - DISCS[3]!.column) <= 40;
    expect(await similar.find(exampleOf(), places(labelled))).toBe(8);
    expect(similar.drop(0, DISCS[3]!)).toBe(false);
    expect(similar.drop(0, DISCS[7]!)).toBe(true);
    expect(similar.drop(0, DISCS[7]!)).toBe(false);
    expect(similar.count).toBe(7);
    expect(similar.clear()).toBe(true);
    expect(similar.clear()).toBe(false);
  });

  it('gives up when it is told to, and shows nothing of it afterwards', async () => {
    const first = similar.find(exampleOf(), places());
    await new Promise(resolve => setTimeout(resolve));
    const second = similar.find(exampleOf(), places());
    expect(await first).toBeNull();
    expect(await second).toBe(9);
    const third = similar.find(exampleOf(), places());
    similar.clear();
    expect(await third).toBeNull();
    expect([similar.on(0), similar.searching]).toEqual([null, null]);
  });

  it('tells of an error of the decoder, and keeps what it has found', async () => {
    const errors: BridgeError[] = [];
    similar.failed.connect((_, error) => errors.push(error));
    const suggest: IPointDecoder['suggest'] = async prompts => {
      if (similar.count === 3) {
        throw new BridgeError('compute', 'the worker died');
      }
      return decodeDiscs(prompts);
    };
    expect(await similar.find(exampleOf({ suggest }), places())).toBeNull();
    expect(errors.map(({ message }) => message)).toEqual(['the worker died']);
    expect(similar.count).toBe(3);
    expect(similar.searching).toBeNull();
  });

  it('proposes everything in view of which SAM is sure, each object once', async () => {
    const { decoder } = exampleOf();
    const view = { row0: 60, row1: 440, column0: 0, column1: 1024 };
    const asked: IPixel[] = [];
    const suggest: IPointDecoder['suggest'] = async prompts => (asked.push(prompts.points[0]!), decodeDiscs(prompts));
    const labelled = ({ row, column }: IPixel) => Math.hypot(row - DISCS[3]!.row, column - DISCS[3]!.column) <= 40;
    const isGood = (suggestion: Suggestion) => !suggestion.contains(DISCS[6]!);
    // Eight discs are in view; one has a label, and one is not good.
    expect(await similar.findAll({ ...decoder, suggest }, 0, view, labelled, isGood)).toBe(6);
    expect(similar.what).toBe('everything');
    expect(asked.length).toBeLessThan(96);
    expect(asked.some(labelled)).toBe(false);
    expect([DISCS[3]!, DISCS[6]!, DISCS[8]!].map(at => similar.drop(0, at))).toEqual([false, false, false]);
    expect(similar.drop(0, DISCS[0]!)).toBe(true);
  });

  describe('in windows', () => {
    const [LOOKED, FOUND] = [{ rows: 4000, columns: 4000 }, 30];
    const all = { row0: 0, row1: LOOKED.rows, column0: 0, column1: LOOKED.columns };
    const within = { row0: 0, row1: 1024, column0: 0, column1: 1024 };
    let asked: { slice: number; window: number }[];
    let shapes: Params<'sam.similar-window'>['shape'][];
    let options: SuggestionOptions;
    /** The first disc of 40 pixels' radius as SAM draws it in a window, which {@link windowOf} lays so that it lies at a pixel. */
    const PART = packPart(discLogits(DISCS[0]!), MOBILE_SAM.decoder.maskSize);
    const windowOf = ({ row, column }: IPixel) => {
      const [row0, column0] = [row - DISCS[0]!.row, column - DISCS[0]!.column];
      return { row0, row1: row0 + SIZE.rows, column0, column1: column0 + SIZE.columns };
    };
    /** A square in the sidecar's answer; those of a window and slice lie apart from others'. */
    const answer = ({ slice, window }: { slice: number; window: number }) => {
      const discs = [
        { row: 2000 + 100 * window, column: 500 + 100 * slice },
        { row: 3000, column: 500 + 100 * slice } // in each window
      ];
      const rects = discs.map(({ row, column }) => ({
        row0: row - FOUND,
        row1: row + FOUND,
        column0: column - FOUND,
        column1: column + FOUND
      }));
      const objects = discs.map((point, i) => ({
        point,
        rect: rects[i]!,
        seen: windowOf(point),
        samples: PART.samples
      }));
      const masks = rects.map(() => new Uint8Array(4 * FOUND ** 2).fill(1));
      const buffers = [...masks, ...rects.map(() => PART.codes)].map(bytes => deflateRawSync(bytes));
      return { result: { windows: 3, objects }, buffers };
    };
    let answers: (params: { slice: number; window: number }, signal: AbortSignal) => Promise<unknown>;

    beforeEach(() => {
      asked = [];
      shapes = [];
      options = new SuggestionOptions();
      options.set({ grow: 0, edges: true });
      answers = async params => answer(params);
      const link = new FakeLink((_, params: Params<'sam.similar-window'>, options) => {
        const { slice, window, example, shape } = params;
        asked.push({ slice, window });
        shapes.push(shape);
        const [mask] = unpackLogits(inflateRawSync(options!.buffers![0]!), 256 * 256);
        expect(mask!.map(logit => Number(logit > 0))).toEqual(discLogits(DISCS[0]!).map(logit => Number(logit > 0)));
        expect(example).toEqual({ slice: 4, point: { row: 150, column: 130 }, within });
        return answers(params, options!.signal!);
      });
      similar = new SimilarObjects({ image: LOOKED, link, options });
    });

    const look = async (slices = [2, 3, 4, 5]) => {
      const { decoder } = exampleOf({ within });
      const candidates = { lowRes: [discLogits(DISCS[0]!)], scores: [0.9], single: null };
      const suggestion = new Suggestion(DISCS[0]!, candidates, 0, LOOKED, MOBILE_SAM, within);
      await similar.find({ suggestion, decoder }, { slice: 4, slices, seen: all, labelled: none });
    };

    it('looks in all of the slice, then in all slices, and proposes what is new', async () => {
      await look();
      expect([similar.count, similar.where, similar.next]).toEqual([9, 'view', 'slice']);
      expect(asked).toEqual([]);
      similar.drop(4, DISCS[8]!);
      expect(await similar.widen()).toBe(8 + 4);
      expect([similar.slices, similar.where, similar.next]).toEqual([[4], 'slice', 'stack']);
      expect(asked).toEqual([0, 1, 2].map(window => ({ slice: 4, window })));
      expect(await similar.widen()).toBe(12 + 3 * 4);
      expect([similar.slices, similar.where, similar.next]).toEqual([[2, 3, 4, 5], 'stack', null]);
      expect(asked.slice(3).map(({ slice }) => slice)).toEqual([3, 3, 3, 5, 5, 5, 2, 2, 2]);
      expect(await similar.widen()).toBeNull();
      const place = { row: 3000, column: 700 };
      expect([similar.drop(4, place), similar.drop(2, place), similar.drop(2, place)]).toEqual([false, true, false]);
      const taken = similar.take();
      expect(taken.map(({ slice, objects }) => [slice, objects.length])).toEqual([
        [2, 3],
        [3, 4],
        [4, 12],
        [5, 4]
      ]);
      expect(pixels(taken[0]!.tiles)).toBe(3 * 4 * FOUND ** 2);
      similar.giveBack(taken.slice(0, 2));
      expect([similar.count, similar.slices]).toEqual([7, [2, 3]]);
    });

    it('asks for the shape that the user chose, and draws what was found in another one when that is chosen', async () => {
      await look([4]);
      await similar.widen();
      expect(shapes).toEqual(Array(3).fill({ connected: false, filled: false, smooth: false, grow: 0, edges: true }));
      const at = { row: 3000, column: 900 };
      const row = { row0: at.row, row1: at.row + 1, column0: at.column, column1: at.column + 60 };
      const reach = () => similar.on(4)!.region(row).indexOf(0);
      expect(reach()).toBe(FOUND);
      options.set({ grow: 5 });
      await similar.reshaping;
      expect(reach()).toBeGreaterThan(43);
      expect(reach()).toBeLessThan(48);
    });

    it('does not propose again what was dropped', async () => {
      await look([4]);
      answers = async () => answer({ slice: 4, window: 0 });
      const { row, column } = { row: 3000, column: 900 };
      const widening = similar.widen();
      similar.changed.connect(() => similar.drop(4, { row, column }));
      expect(await widening).toBe(9 + 1);
      expect([
        similar.next,
        similar.on(4)!.region({ row0: row, row1: row + 1, column0: column, column1: column + 1 })
      ]).toEqual([null, new Uint8Array(1)]);
    });

    it('keeps what was found when the sidecar fails, and goes on with the window that it failed at', async () => {
      await look();
      const errors: string[] = [];
      similar.failed.connect((_, { message }) => errors.push(message));
      answers = async params => {
        if (params.window === 1) {
          throw new BridgeError('compute', 'the encoder died');
        }
        return answer(params);
      };
      expect(await similar.widen()).toBeNull();
      expect([errors, similar.count, similar.searching, similar.next]).toEqual([
        ['the encoder died'],
        11,
        null,
        'slice'
      ]);
      answers = async params => answer(params);
      expect(await similar.widen()).toBe(13);
      expect(asked.map(({ window }) => window)).toEqual([0, 1, 1, 2]);
    });

    it('cancels the work of the sidecar when it is told to give up, and is told of none when there is nothing to see', async () => {
      await look();
      let aborted = false;
      answers = (_, signal) =>
        new Promise((__, reject) =>
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new BridgeError('cancelled', 'stopped'));
          })
        );
      const widening = similar.widen();
      expect([similar.searching, similar.next]).toEqual([0, null]);
      expect(similar.clear()).toBe(true);
      expect([await widening, aborted, similar.count, similar.next]).toEqual([null, true, 0, null]);
      await look();
      answers = async () => ({ result: { windows: 0, objects: [] }, buffers: [] });
      expect([await similar.widen(), similar.count, similar.next]).toEqual(['unseen', 9, null]);
    });

    it('looks on the other slices next where the decoder saw all of the slice in a window of the same size', async () => {
      const { suggestion, decoder } = exampleOf();
      const seen = { row0: 0, row1: SIZE.rows, column0: 0, column1: SIZE.columns };
      const places = { slice: 0, seen, labelled: none };
      await similar.find({ suggestion, decoder: { ...decoder, within: seen } }, { ...places, slices: [0, 1] });
      expect(similar.next).toBe('stack');
      await similar.find({ suggestion, decoder: { ...decoder, within: seen } }, { ...places, slices: [0] });
      expect(similar.next).toBeNull();
    });
  });

  it('looks only at the rows and columns that the decoder sees, and gives pixels of the image', async () => {
    const within = { row0: 1000, row1: 2024, column0: 3000, column1: 4024 };
    similar = new SimilarObjects({ image: { rows: 4000, columns: 6000 }, link: new FakeLink() });
    const suggest: IPointDecoder['suggest'] = async ({ points }) =>
      decodeDiscs({
        points: points.map(point => ({ ...point, row: point.row - within.row0, column: point.column - within.column0 }))
      });
    const { suggestion, decoder } = exampleOf({ suggest, within });
    expect(await similar.find({ suggestion, decoder }, places())).toBe(9);
    const { row, column } = DISCS[8]!;
    expect(similar.drop(0, { row, column })).toBe(false);
    expect(similar.drop(0, { row: row + 1000, column: column + 3000 })).toBe(true);
  });
});
