/** The compiled engine for tests, and random numbers that are the same each time. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileEngine, Engine } from '../../core/wasm';

const path = join(__dirname, '../../build/engine.wasm');
if (!existsSync(path)) {
  throw new Error('engine/build/engine.wasm is missing; run: npm run build -- engine');
}
const compiled = compileEngine(readFileSync(path));

export function newEngine(): Engine {
  return new Engine(compiled);
}

/** Numbers in [0, 1). */
export function randomSource(seed: number): () => number {
  let state = seed * 2654435761 + 12345;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >>> 8) & 0xffffff) / 0x1000000;
  };
}
