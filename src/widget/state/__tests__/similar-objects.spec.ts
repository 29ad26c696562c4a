/** Proposals like an object: shown as they are found, dropped, taken together, and given up. */
import { MOBILE_SAM } from '../../../shared/models/mobile-sam';
import { decodeDiscs, discEmbedding, discLogits, DISCS, SIZE } from '../../../sam/__tests__/support/discs';
import { BridgeError, LABEL_TILE } from '../../../shared';
import { IPixel, Suggestion } from '../suggestion';
import { SimilarObjects } from '../similar-objects';
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
  const pixels = (tiles: readonly { bits: Uint8Array }[]) =>
    tiles.reduce(
      (sum, { bits }) => sum + bits.reduce((all, byte) => all + byte.toString(2).replace(/0/g, '').length, 0),
      0
    );

  beforeEach(() => {
    similar = new SimilarObjects({ image: SIZE });
  });
  afterEach(() => similar.dispose());

  it('shows what it finds one after the other, and takes all as one mask', async () => {
    const counts: number[] = [];
    similar.changed.connect(() => counts.push(similar.count));
    expect(await similar.find(exampleOf(), none)).toBe(9);
    expect(new Set(counts)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(similar.searching).toBeNull();
    const { group } = similar;
    const at = DISCS[5]!;
    const around = { row0: at.row - 50, row1: at.row + 50, column0: at.column - 50, column1: at.column + 50 };
    const inside = group!.region(around);
    expect(inside[50 * 100 + 50]).toBe(1);
    expect(inside[0]).toBe(0);
    expect(
      group!.region({ row0: 0, row1: 64, column0: 0, column1: 64 }, 4)[(at.row >> 4) * 64 + (at.column >> 4)]
    ).toBe(1);
    const tiles = similar.take();
    expect(pixels(tiles) / (9 * Math.PI * 40 ** 2)).toBeCloseTo(1, 1);
    expect(tiles.every(({ row, column }) => row < SIZE.rows / LABEL_TILE && column < SIZE.columns / LABEL_TILE)).toBe(
      true
    );
    expect([similar.group, similar.count]).toEqual([null, 0]);
  });

  it('drops the one under a click, and proposes nothing that has a label', async () => {
    const labelled = ({ row, column }: IPixel) => Math.hypot(row - DISCS[3]!.row, column - DISCS[3]!.column) <= 40;
    expect(await similar.find(exampleOf(), labelled)).toBe(8);
    expect(similar.drop(DISCS[3]!)).toBe(false);
    expect(similar.drop(DISCS[7]!)).toBe(true);
    expect(similar.drop(DISCS[7]!)).toBe(false);
    expect(similar.count).toBe(7);
    expect(similar.clear()).toBe(true);
    expect(similar.clear()).toBe(false);
  });

  it('gives up when it is told to, and shows nothing of it afterwards', async () => {
    const first = similar.find(exampleOf(), none);
    await new Promise(resolve => setTimeout(resolve));
    const second = similar.find(exampleOf(), none);
    expect(await first).toBeNull();
    expect(await second).toBe(9);
    const third = similar.find(exampleOf(), none);
    similar.clear();
    expect(await third).toBeNull();
    expect([similar.group, similar.searching]).toEqual([null, null]);
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
    expect(await similar.find(exampleOf({ suggest }), none)).toBeNull();
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
    expect(await similar.findAll({ ...decoder, suggest }, view, labelled, isGood)).toBe(6);
    expect(similar.what).toBe('everything');
    expect(asked.length).toBeLessThan(96);
    expect(asked.some(labelled)).toBe(false);
    expect([DISCS[3]!, DISCS[6]!, DISCS[8]!].map(at => similar.drop(at))).toEqual([false, false, false]);
    expect(similar.drop(DISCS[0]!)).toBe(true);
  });

  it('looks again in all that SAM sees, beside what is proposed, if the example is seen there', async () => {
    const within = { row0: 0, row1: 512, column0: 0, column1: 512 };
    // A window of the upper left quarter shows the first disc twice as large.
    const example = DISCS[0]!;
    const window: IExample = {
      suggestion: new Suggestion(
        example,
        { lowRes: [discLogits({ row: 300, column: 260, radius: 80 })], scores: [0.9], single: null },
        0,
        SIZE,
        MOBILE_SAM,
        within
      ),
      decoder: {
        manifest: MOBILE_SAM,
        within,
        embedding: () => discEmbedding([{ row: 300, column: 260, radius: 80 }]),
        suggest: async () => decodeDiscs({ points: [{ row: 300, column: 260, label: 1 }] })
      }
    };
    const whole = exampleOf().decoder;
    expect(await similar.find(window, none, whole)).toBe(0);
    expect(similar.mayWiden).toBe(true);
    const unseen = jest.fn();
    expect(await similar.widen(none, unseen)).toBe(9);
    expect([similar.mayWiden, similar.drop(example)]).toEqual([false, false]);
    expect(await similar.find(window, none, whole)).toBe(0);
    const ground = { ...whole, suggest: async () => decodeDiscs({ points: [{ row: 5, column: 5, label: 1 }] }) };
    await similar.find(window, none, ground);
    expect(await similar.widen(none, unseen)).toBe(0);
    expect(unseen).toHaveBeenCalledTimes(1);
    expect(await similar.find(exampleOf(), none, whole)).toBe(9);
    expect(similar.mayWiden).toBe(false);
  });

  it('looks only at the rows and columns that the decoder sees, and gives pixels of the image', async () => {
    const within = { row0: 1000, row1: 2024, column0: 3000, column1: 4024 };
    similar = new SimilarObjects({ image: { rows: 4000, columns: 6000 } });
    const suggest: IPointDecoder['suggest'] = async ({ points }) =>
      decodeDiscs({
        points: points.map(point => ({ ...point, row: point.row - within.row0, column: point.column - within.column0 }))
      });
    const { suggestion, decoder } = exampleOf({ suggest, within });
    expect(await similar.find({ suggestion, decoder }, none)).toBe(9);
    const { row, column } = DISCS[8]!;
    expect(similar.drop({ row, column })).toBe(false);
    expect(similar.drop({ row: row + 1000, column: column + 3000 })).toBe(true);
  });
});
