/**
 * Scratch memory of the kernels: it grows upwards from an address that the caller gives. Callers mark its end and release all that lies behind the mark;
 * single blocks are not freed.
 * Behind each block 256 bytes stay free, since vector loops may read a little past the end.
 */

const SLACK: usize = 256;

let top: usize = 0;

/** Begin at an address behind the caller's own data. */
export function openArena(address: usize): void {
  top = (address + 63) & ~63;
}

/** Where the arena ends now, for {@link release}. */
export function mark(): usize {
  return top;
}

/** Free all blocks behind a {@link mark}. */
export function release(to: usize): void {
  top = to;
}

/** Address of `bytes` fresh bytes, a multiple of 64; their contents are undefined. Traps where the host has no more memory. */
export function allocate(bytes: usize): usize {
  const address = top;
  const end = <u64>address + <u64>bytes + <u64>SLACK + 64;
  const missing = <i64>end - (<i64>memory.size() << 16);
  if (missing > 0 && (end >= 0xffff0000 || memory.grow(<i32>((missing + 0xffff) >> 16)) < 0)) {
    unreachable();
  }
  top = <usize>(end & ~63);
  return address;
}
