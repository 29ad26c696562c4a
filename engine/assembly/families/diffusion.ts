/**
 * Anisotropic diffusion of Perona and Malik ("Scale-space and edge detection using anisotropic diffusion", 1990, equations 7, 8 and 10): in
 * each iteration
 *
 *   I ← I + ¼ Σ over the four neighbours q of g(I_q − I) (I_q − I),   g(d) = exp(−(d / K)²),
 *
 * so that differences well above the conductance K stay and smaller ones fade. It runs on grey levels, (value − low) · 255 /
 * (high − low), neither rounded nor clipped. The flow between two pixels is computed once: it leaves one and enters the other.
 *
 * The feature of this name in Trainable Weka Segmentation is another scheme (diffusion by a tensor from the smoothed structure tensor,
 * Tschumperlé and Deriche); the two do not agree.
 *
 * ONNX cannot express it. `sambalab/tests/features/test_nonlinear.py` compares the kernel with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { exponential } from '../exponential';
import { argument } from '../family';
import { at, columns, continueEdges, high, low, newPlane, outStride, rows, sourceAt, strideOf, width } from '../tile';

/** Each iteration sees one pixel further. */
export function diffusionReach(args: usize): i32 {
  return <i32>argument(args, 1);
}

/** Arguments: conductance, iterations. */
export function anisotropicDiffusion(args: usize, out: usize): void {
  const conductance = argument(args, 0);
  const iterations = <i32>argument(args, 1);
  const bottom = mark();
  const plane = newPlane(iterations);
  const stride = strideOf(iterations);
  scaleInto(plane, iterations);
  // Flows into the right neighbours of one row, into the neighbours below it, and into those below the row above.
  const right = allocate(stride + 64);
  const above = allocate(stride);
  const below = allocate(stride);
  const steepness = f32x4.splat(<f32>(-1 / (conductance * conductance)));
  for (let i = 1; i <= iterations; i++) {
    const margin = iterations - i;
    iterate(plane, stride, iterations, margin, right + 32, above, below, steepness);
    if (margin) {
      continueEdges(plane, iterations);
    }
  }
  for (let row = 0; row < rows; row++) {
    memory.copy(out + <usize>row * outStride, at(plane, stride, iterations, row, 0), <usize>width << 2);
  }
  release(bottom);
}

/** Write the grey levels, not rounded. */
function scaleInto(plane: usize, margin: i32): void {
  const stride = strideOf(margin);
  const factor = 255 / (high - low);
  const scale = f64x2.splat(factor);
  const offset = f64x2.splat(low);
  const bytes = <usize>(columns + 2 * margin) << 2;
  for (let row = -margin; row < rows + margin; row++) {
    const from = sourceAt(row, -margin);
    const to = at(plane, stride, margin, row, -margin);
    for (let x: usize = 0; x < bytes; x += 8) {
      const value = f64x2.promote_low_f32x4(v128.load64_zero(from + x));
      v128.store64_lane(to + x, f32x4.demote_f64x2_zero(f64x2.mul(f64x2.sub(value, offset), scale)), 0);
    }
  }
}

/** Do an iteration on the tile and `around` pixels on each side; the plane has one pixel more. */
function iterate(
  plane: usize,
  stride: usize,
  margin: i32,
  around: i32,
  right: usize,
  above: usize,
  below: usize,
  steepness: v128
): void {
  const bytes = <usize>((columns + 2 * around + 3) & ~3) << 2;
  const quarter = f32x4.splat(0.25);
  flow(at(plane, stride, margin, -around - 1, -around), stride, above, bytes, steepness);
  for (let row = -around; row < rows + around; row++) {
    const line = at(plane, stride, margin, row, -around);
    flow(line - 4, 4, right - 4, bytes + 16, steepness);
    flow(line, stride, below, bytes, steepness);
    for (let x: usize = 0; x < bytes; x += 16) {
      const along = f32x4.sub(v128.load(right + x), v128.load(right + x - 4));
      const across = f32x4.sub(v128.load(below + x), v128.load(above + x));
      const change = f32x4.mul(quarter, f32x4.add(along, across));
      v128.store(line + x, f32x4.add(v128.load(line + x), change));
    }
    const used = above;
    above = below;
    below = used;
  }
}

/** g(d) d with d the difference to the pixel `step` bytes further on. */
@inline
function flow(line: usize, step: usize, to: usize, bytes: usize, steepness: v128): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    const difference = f32x4.sub(v128.load(line + x + step), v128.load(line + x));
    const weight = exponential(f32x4.mul(steepness, f32x4.mul(difference, difference)));
    v128.store(to + x, f32x4.mul(weight, difference));
  }
}
