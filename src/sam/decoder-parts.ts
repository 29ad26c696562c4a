/**
 * One decode shared by several instances of {@link WasmDecoder}, each in a thread of its own, without shared memory: each has every nth row of the
 * image's places. Three times in a decode the tokens attend to the image; then the instances exchange their sums, a few kilobytes. All else about
 * tokens each instance computes for itself.
 */

/** Which share of the image's places an instance has. */
export interface IDecoderPart {
  /** From 0 on. */
  index: number;
  /** How many instances share the image. */
  count: number;
}

/** What one instance gives: logits of its rows of samples, [4 masks][its rows][256], and the quality that SAM predicts for each mask. */
export interface IPartMasks {
  logits: Float32Array;
  scores: Float32Array;
}

/** The work of one instance on a decode: it yields its sums, and goes on with those of all instances, in the order of their parts. */
export type PartWork<T> = Generator<Float32Array, T, readonly Float32Array[]>;

/** The first of an instance's sums of an attention; the values and modes follow. `rows`: heads times tokens. */
export const sumsLayout = (rows: number, tokens: number, count: number) => ({
  largest: 0,
  sums: rows,
  values: 2 * rows,
  modes: 2 * rows + 128 * tokens,
  all: 2 * rows + 128 * tokens + rows * count
});

/**
 * Put together the sums of an attention that several instances made, into `into`. Weights are relative to an instance's own largest scores; together they
 * are relative to the largest of all.
 *
 * @param tokens T; scores have 8 T rows, first those of the first head
 * @param count modes of a place
 */
export function mergeSums(into: Float32Array, parts: readonly Float32Array[], tokens: number, count: number): void {
  const rows = 8 * tokens;
  const at = sumsLayout(rows, tokens, count);
  into.fill(0);
  for (let row = 0; row < rows; row++) {
    const largest = Math.max(...parts.map(part => part[at.largest + row]!));
    into[at.largest + row] = largest;
    const [head, token] = [Math.floor(row / tokens), row % tokens];
    const values = at.values + 128 * token + 16 * head;
    const modes = at.modes + row * count;
    for (const part of parts) {
      const by = Math.exp(part[at.largest + row]! - largest);
      into[at.sums + row]! += by * part[at.sums + row]!;
      for (let i = values; i < values + 16; i++) {
        into[i]! += by * part[i]!;
      }
      for (let i = modes; i < modes + count; i++) {
        into[i]! += by * part[i]!;
      }
    }
  }
}

/** Rows of samples that a part has of `all` rows of places, from top to bottom: four for each of its rows of places. */
export function sampleRows({ index, count }: IDecoderPart, all: number): number[] {
  const rows: number[] = [];
  for (let place = index; place < all; place += count) {
    rows.push(4 * place, 4 * place + 1, 4 * place + 2, 4 * place + 3);
  }
  return rows;
}
