/**
 * The registry of feature families: `families/index.ts` fills it, `program.ts` runs what it holds.
 *
 * A family's arguments are those of its row in `src/shared/features.json`: f64, {@link argument} reads them.
 */

/** Pixels to each side that the channels depend on. */
type Reach = (args: usize) => i32;
/** Write the channels of the placed tile (`tile.ts`) to `out`, one plane after the other, `outPlane` bytes apart. */
type Compute = (args: usize, out: usize) => void;
/** Look at an op of the program before the first pixel is loaded. */
type Plan = (args: usize) => void;

/** Ops are numbered below this. */
const OPS_MAX = 64;
/** An entry: u32 channels (0 for an op that does not exist), then the numbers of its functions: reach, compute, plan (0 for none). */
const ENTRY = 16;
const entries = memory.data(OPS_MAX * ENTRY);

/**
 * Register an op.
 *
 * @param op its number in `src/shared/features.json`
 * @param plan is called for each op of a program before the first is computed, for families that share work between their ops
 */
export function family(op: i32, channels: i32, reach: Reach, compute: Compute, plan: Plan | null = null): void {
  const entry = entries + <usize>(op * ENTRY);
  store<u32>(entry, channels);
  store<u32>(entry, reach.index, 4);
  store<u32>(entry, compute.index, 8);
  store<u32>(entry, plan ? plan.index : 0, 12);
}

/** Argument `i` of an op. */
@inline
export function argument(args: usize, i: usize): f64 {
  return load<f64>(args + (i << 3));
}

/** Channels of an op; 0 for an op that does not exist. */
export function channelsOf(op: i32): i32 {
  return op >= 0 && op < OPS_MAX ? load<i32>(entries + <usize>(op * ENTRY)) : 0;
}

/** Pixels to each side that an existing op depends on. */
export function reachOf(op: i32, args: usize): i32 {
  return call_indirect<i32>(load<u32>(entries + <usize>(op * ENTRY), 4), args);
}

/** Write the channels of an existing op. */
export function compute(op: i32, args: usize, out: usize): void {
  call_indirect<void>(load<u32>(entries + <usize>(op * ENTRY), 8), args, out);
}

/** Let an existing op look at its arguments before the first pixel is loaded. */
export function plan(op: i32, args: usize): void {
  const planner = load<u32>(entries + <usize>(op * ENTRY), 12);
  if (planner) {
    call_indirect<void>(planner, args);
  }
}
