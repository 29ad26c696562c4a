/** Random numbers of a tree: the same for the same seed on every host. */

/** xoshiro-like quality is not needed here: a 64-bit LCG with the output permutation of PCG (O'Neill 2014, PCG-XSH-RR). */
let state: u64 = 0;

@inline
function next(): u32 {
  const old = state;
  state = old * 6364136223846793005 + 1442695040888963407;
  const xorshifted = <u32>(((old >> 18) ^ old) >> 27);
  return rotr<u32>(xorshifted, <u32>(old >> 59));
}

/** A whole number in [0, n), by multiplication (Lemire 2019, without the rejection: the bias is below n / 2³²). */
@inline
export function below(n: u32): u32 {
  return <u32>((<u64>next() * <u64>n) >> 32);
}

/** A seed for each tree, far from its neighbours (SplitMix64, Steele et al. 2014). */
export function seedTree(seed: u32, tree: u32): void {
  let z: u64 = (<u64>seed << 32) + <u64>tree + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  state = z ^ (z >> 31);
  next();
  next();
}
