/** Cleaning of class ids slice by slice gives what a search through the whole volume gives. */
import { cleaned, Cleaning, ISlices } from '../core/cleaning';

const [SLICES, ROWS, COLUMNS] = [7, 23, 31];
const AREA = ROWS * COLUMNS;

/** Blobs of four classes, 0 among them. */
function volume(seed: number): Uint8Array {
  let state = seed;
  const random = () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
  const ids = Uint8Array.from({ length: SLICES * AREA }, () => Math.floor(random() * 4));
  return ids.map((id, i) =>
    i % 3 === 0 ? ids[Math.max(0, i - 1)]! : i % 5 === 0 ? ids[Math.max(0, i - COLUMNS)]! : id
  );
}

function slicesOf(ids: Uint8Array): ISlices & { reads: number[] } {
  const reads = new Array<number>(SLICES).fill(0);
  const read = (slice: number) => {
    reads[slice]!++;
    return ids.subarray(slice * AREA, (slice + 1) * AREA);
  };
  return { slices: SLICES, rows: ROWS, columns: COLUMNS, read, reads };
}

function clean(ids: Uint8Array, cleaning: Cleaning): { out: Uint8Array; reads: number[] } {
  const slices = slicesOf(ids);
  const out = Uint8Array.from([...cleaned(slices, cleaning)].flatMap(slice => [...slice]));
  return { out, reads: slices.reads };
}

/** The pixels beside one. */
function beside(i: number): number[] {
  const [slice, row, column] = [Math.floor(i / AREA), Math.floor((i % AREA) / COLUMNS), i % COLUMNS];
  return [
    ...(column > 0 ? [i - 1] : []),
    ...(column < COLUMNS - 1 ? [i + 1] : []),
    ...(row > 0 ? [i - COLUMNS] : []),
    ...(row < ROWS - 1 ? [i + COLUMNS] : []),
    ...(slice > 0 ? [i - AREA] : []),
    ...(slice < SLICES - 1 ? [i + AREA] : [])
  ];
}

/** All regions of equal values, by a walk through the whole volume. */
function regionsOf(values: Uint8Array): number[][] {
  const seen = new Uint8Array(values.length);
  const regions: number[][] = [];
  for (let first = 0; first < values.length; first++) {
    if (seen[first]) {
      continue;
    }
    const region = [first];
    seen[first] = 1;
    for (let n = 0; n < region.length; n++) {
      for (const next of beside(region[n]!)) {
        if (!seen[next] && values[next] === values[first]) {
          seen[next] = 1;
          region.push(next);
        }
      }
    }
    regions.push(region);
  }
  return regions;
}

it.each([1, 2, 3])('gives small islands the class that most of their neighbours have (%i)', seed => {
  const ids = volume(seed);
  for (const only of [undefined, 2]) {
    const small = regionsOf(ids).filter(
      region => region.length < 9 && ids[region[0]!] !== 0 && (only === undefined || ids[region[0]!] === only)
    );
    const isSmall = new Uint8Array(ids.length);
    small.forEach(region => region.forEach(i => (isSmall[i] = 1)));
    const wanted = new Uint8Array(ids.length);
    for (const region of small) {
      const votes = [0, 0, 0, 0];
      region.forEach(i => beside(i).forEach(next => (votes[ids[next]!]! += isSmall[next] ? 0 : 1)));
      const most = Math.max(...votes.slice(1));
      region.forEach(i => (wanted[i] = most === 0 ? 0 : votes.indexOf(most, 1)));
    }
    const { out, reads } = clean(ids, { kind: 'islands', below: 9, class: only });
    expect(small.length).toBeGreaterThan(10);
    expect(Buffer.compare(out, wanted)).toBe(0);
    expect(Math.max(...reads)).toBeLessThanOrEqual(5); // and never the whole volume at once
  }
});

it('fills holes that go through several slices', () => {
  const ids = volume(5);
  const wanted = new Uint8Array(ids.length);
  const inClass = ids.map(id => (id === 3 ? 1 : 0));
  for (const region of regionsOf(inClass)) {
    if (inClass[region[0]!] === 0 && region.length < 40) {
      region.forEach(i => (wanted[i] = 3));
    }
  }
  expect(wanted.some(id => id > 0)).toBe(true);
  expect(Buffer.compare(clean(ids, { kind: 'holes', below: 40, class: 3 }).out, wanted)).toBe(0);
});

it('says what would do where a volume has more runs of equal pixels than fit', () => {
  const ids = slicesOf(volume(7));
  expect(() => [...cleaned(ids, { kind: 'islands', below: 5 }, 2000)]).toThrow(
    /as one volume of 7 slices\. Clean single slices, or begin with the majority filter\./
  );
  expect([...cleaned(ids, { kind: 'majority', radius: 1 }, 2000)]).toHaveLength(SLICES);
});
