/** Which objects are proposed, on discs with a known answer; `sambalab/tests/test_labeller.py` has the real model. */
import { IPrompts, ISimilarOptions, likenessOf, sampleGreys, similarObjects } from '..';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';
import { decodeDiscs, discEmbedding, discLogits, DISCS, greysOfDiscs, SIZE } from './support/discs';

async function search(more: Partial<ISimilarOptions> = {}) {
  const asked: IPrompts[] = [];
  const embedding = discEmbedding();
  const example = discLogits(DISCS[0]!);
  const options: ISimilarOptions = {
    manifest: MOBILE_SAM,
    embedding,
    size: SIZE,
    like: likenessOf(embedding, SIZE, example, MOBILE_SAM),
    taken: [example],
    decode: async prompts => {
      asked.push(prompts);
      return decodeDiscs(prompts);
    },
    ...more
  };
  const found: number[] = [];
  for await (const { point, similarity, score } of similarObjects(options)) {
    found.push(
      DISCS.findIndex(({ row, column, radius }) => Math.hypot(row - point.row, column - point.column) <= radius)
    );
    expect(similarity).toBeGreaterThan(0.9);
    expect(score).toBe(0.9);
  }
  return { found: found.sort((a, b) => a - b), asked };
}

describe('similarObjects', () => {
  it('finds every disc of the size once, but not the example, nor what is too large', async () => {
    const { found, asked } = await search();
    expect(found).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Nine discs, and once the large one in vain; no place in the ground.
    expect(asked.length).toBeLessThan(14);
    expect(
      asked.every(({ points }) =>
        DISCS.some(disc => Math.hypot(disc.row - points[0]!.row, disc.column - points[0]!.column) <= disc.radius + 16)
      )
    ).toBe(true);
  });

  it('proposes nothing that overlaps what is taken', async () => {
    const { found } = await search({ taken: [0, 4, 9].map(i => discLogits(DISCS[i]!)) });
    expect(found).toEqual([1, 2, 3, 5, 6, 7, 8]);
  });

  it('leaves out what is of another grey than the example, where greys are known', async () => {
    const greys = sampleGreys(
      SIZE,
      MOBILE_SAM,
      greysOfDiscs(index => (index % 2 ? 250 : 150))
    )!;
    const like = likenessOf(discEmbedding(), SIZE, discLogits(DISCS[0]!), MOBILE_SAM, greys);
    expect((await search({ like, greys })).found).toEqual([2, 4, 6, 8]);
    // Greys of one of the two images alone say nothing.
    expect((await search({ like })).found).toHaveLength(9);
    expect((await search({ greys })).found).toHaveLength(9);
  });

  it('looks at no more places than it may', async () => {
    const { found, asked } = await search({ most: 3 });
    expect(asked).toHaveLength(3);
    expect(found.length).toBeLessThanOrEqual(3);
  });

  it('stops when it is told to, and tells how far it is', async () => {
    const abort = new AbortController();
    const shares: number[] = [];
    const progress = (done: number, total: number) => {
      shares.push(done / total);
      if (shares.length === 4) {
        abort.abort(new Error('enough'));
      }
    };
    await expect(search({ progress, signal: abort.signal })).rejects.toThrow('enough');
    expect(shares).toHaveLength(4);
  });

  it('refuses an example without a pixel', () => {
    const nothing = new Float32Array(65536).fill(-1);
    expect(() => likenessOf(discEmbedding(), SIZE, nothing, MOBILE_SAM)).toThrow('The example has no pixel');
  });
});
