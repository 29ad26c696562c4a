/**
 * Membrane projections, as in Trainable Weka Segmentation: the image is averaged along a line of `patch` pixels' length in ten
 * directions, 18° apart, and the ten averages are projected: mean, maximum, minimum, sum, standard deviation (n − 1), median.
 *
 * The line is made of the columns ⌊patch/2⌋ − ⌊thickness/2⌋ to ⌊patch/2⌋ + ⌈thickness/2⌉ of a square patch (so a thickness of 1 is two
 * pixels wide) and rotated by nearest neighbours about the patch's centre, as ImageJ rotates.
 */
import { IFeatureGroup } from './family';
import { TilePlanes } from '../planes';

export const DIRECTIONS = 10;
const PROJECTIONS = ['mean', 'maximum', 'minimum', 'sum', 'standard deviation', 'median'];

/** The rotated line: patch × patch zeros and ones, row by row. */
export function membraneKernel(patch: number, thickness: number, direction: number): Uint8Array {
  const middle = Math.floor(patch / 2);
  const first = middle - Math.floor(thickness / 2);
  const last = middle + Math.ceil(thickness / 2);
  const centre = (patch - 1) / 2;
  const angle = (-direction * Math.PI) / DIRECTIONS;
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const out = new Uint8Array(patch * patch);
  for (let row = 0; row < patch; row++) {
    for (let column = 0; column < patch; column++) {
      const x = (column - centre) * cosine - (row - centre) * sine + centre;
      const y = (column - centre) * sine + (row - centre) * cosine + centre;
      if (x >= -0.01 && x < patch && y >= -0.01 && y < patch) {
        const nearest = Math.min(patch - 1, Math.floor(x + 0.5));
        out[row * patch + column] = nearest >= first && nearest <= last ? 1 : 0;
      }
    }
  }
  return out;
}

/** Boxes whose sums are kept as planes, rows × columns, the largest first: each is two of a smaller one, side by side. */
const BOXES = [
  { rows: 4, columns: 2, half: 2, shift: [2, 0] },
  { rows: 2, columns: 4, half: 4, shift: [1, 0] },
  { rows: 2, columns: 2, half: 6, shift: [1, 0] },
  { rows: 4, columns: 1, half: 5, shift: [2, 0] },
  { rows: 1, columns: 4, half: 6, shift: [0, 2] },
  { rows: 2, columns: 1, half: 7, shift: [1, 0] },
  { rows: 1, columns: 2, half: 7, shift: [0, 1] },
  { rows: 1, columns: 1, half: -1, shift: [0, 0] }
] as const;
/** The order in which their planes can be made. */
const MAKING = [6, 5, 4, 3, 2, 1, 0] as const;

interface IPiece {
  box: number;
  row: number;
  column: number;
}

/** Cover the ones of a kernel by boxes, each pixel once, large boxes first. */
export function coverByBoxes(kernel: Uint8Array, patch: number): IPiece[] {
  const left = Uint8Array.from(kernel);
  const pieces: IPiece[] = [];
  BOXES.forEach(({ rows, columns }, box) => {
    for (let row = 0; row + rows <= patch; row++) {
      for (let column = 0; column + columns <= patch; column++) {
        let whole = true;
        for (let i = 0; i < rows * columns && whole; i++) {
          whole = left[(row + Math.floor(i / columns)) * patch + column + (i % columns)] === 1;
        }
        if (whole) {
          for (let i = 0; i < rows * columns; i++) {
            left[(row + Math.floor(i / columns)) * patch + column + (i % columns)] = 0;
          }
          pieces.push({ box, row, column });
        }
      }
    }
  });
  return pieces;
}

export function membrane(patch: number, thickness: number): IFeatureGroup {
  const directions = Array.from({ length: DIRECTIONS }, (_, direction) => {
    const kernel = membraneKernel(patch, thickness, direction);
    return { pixels: kernel.reduce((sum, one) => sum + one, 0), pieces: coverByBoxes(kernel, patch) };
  });
  const reach = Math.floor(patch / 2);
  return {
    names: PROJECTIONS.map(projection => `membrane ${projection}`),
    halo: reach,
    compute(planes, out) {
      const { engine } = planes;
      const mark = engine.mark;
      const boxes = boxPlanes(planes, reach);
      const words: number[] = [];
      const floats = new Float32Array(1);
      const bits = new Uint32Array(floats.buffer);
      for (const { pixels, pieces } of directions) {
        floats[0] = pixels;
        words.push(pieces.length, bits[0]!);
        for (const { box, row, column } of pieces) {
          words.push(boxes[box]! + row * planes.source.stride + column * 4);
        }
      }
      const table = engine.put(Uint32Array.from(words));
      const scratch = engine.allocate(16 * DIRECTIONS);
      const { outStride, outPlane, width, rows } = planes;
      engine.kernels.membrane(table, planes.source.stride, out, outStride, outPlane, width, rows, scratch);
      engine.release(mark);
    }
  };
}

/** Addresses, for each box, of its sums at the upper left corner of the patch of the tile's first pixel. */
function boxPlanes(planes: TilePlanes, reach: number): number[] {
  const { engine, source } = planes;
  const origin = planes.at(source, -reach, -reach);
  const bytes = (planes.rows + 2 * reach) * source.stride;
  const addresses = BOXES.map(({ half }) => (half < 0 ? origin : 0));
  for (const box of MAKING) {
    const { half, shift } = BOXES[box]!;
    const address = engine.allocate(bytes + 4 * source.stride);
    engine.kernels.addShifted(addresses[half]!, address, shift[0] * source.stride + shift[1] * 4, bytes);
    addresses[box] = address;
  }
  return addresses;
}
