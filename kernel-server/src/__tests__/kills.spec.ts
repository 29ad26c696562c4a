/**
 * Kills the sidecar again and again while patches, whole label arrays and undone steps stream. SAMBALAB_KILLS says how often; 8 if it
 * is not set. Nothing acknowledged may be lost, nothing may be half done, and every step can still be undone.
 */
import { writeFileSync } from 'node:fs';
import { HISTORY_STEPS_MAX } from '../../../src/shared/limits';
import { TestClient } from './support/client';
import { bytesOf, openSession, rectangle } from './support/images';
import { removeBundle, TestSidecar } from './support/process';

const KILLS = Number(process.env['SAMBALAB_KILLS'] ?? 8);
const [ROWS, COLUMNS] = [300, 400];
/** Requests under way at once. */
const WINDOW = 8;

let seed = Number(process.env['SAMBALAB_SEED'] ?? 5);
const random = (n: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};

/** Labels as a plain array, and all its states that undo and redo lead to. */
class Model {
  states: Uint8Array[] = [new Uint8Array(ROWS * COLUMNS)];
  at = 0;

  get labels(): Uint8Array {
    return this.states[this.at]!;
  }

  clone(): Model {
    return Object.assign(new Model(), { states: [...this.states], at: this.at });
  }

  /** Make a change. If it changes nothing, it is no step. */
  change(make: (labels: Uint8Array) => void): void {
    const next = this.labels.slice();
    make(next);
    if (!Buffer.from(next).equals(Buffer.from(this.labels))) {
      this.states = [...this.states.slice(0, this.at + 1), next].slice(-HISTORY_STEPS_MAX - 1);
      this.at = this.states.length - 1;
    }
  }
}

/** A change of the labels: how to ask for it, and what it does to the model. */
interface IChange {
  kind: 'strokes' | 'whole' | 'moves';
  send(client: TestClient): Promise<unknown>;
  apply(model: Model): void;
}

const sidecar = new TestSidecar();
afterAll(async () => {
  await sidecar.dispose();
  removeBundle();
});

function stroke(session: string, id: string): IChange {
  const [row, column, height, width] = [random(ROWS - 1), random(COLUMNS - 1), 1 + random(30), 1 + random(60)];
  const tile: [number, number] = [row >> 8, column >> 8];
  const [top, left] = [row & 255, column & 255];
  const [bottom, right] = [Math.min(top + height, 256), Math.min(left + width, 256)];
  const cls = random(3);
  const { patch, buffers } = rectangle(session, cls, { tile, rows: [top, bottom], columns: [left, right] });
  return {
    kind: 'strokes',
    send: client => client.request('labels.patch', patch, { buffers, id }),
    apply: model =>
      model.change(labels => {
        for (let r = row; r < Math.min(row + bottom - top, ROWS); r++) {
          labels.fill(cls, r * COLUMNS + column, r * COLUMNS + Math.min(column + right - left, COLUMNS));
        }
      })
  };
}

/** All labels at once, as `lab.set_labels` does it. */
function whole(session: string): IChange {
  const content = new Uint8Array(ROWS * COLUMNS);
  for (let row = random(20); row < ROWS; row += 1 + random(20)) {
    content.fill(1 + random(2), row * COLUMNS, row * COLUMNS + random(COLUMNS));
  }
  return {
    kind: 'whole',
    send: async client => {
      const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, ROWS, COLUMNS] });
      writeFileSync(array.path, content, { flag: 'r+' });
      return client.request('labels.set', { session, staged });
    },
    apply: model => model.change(labels => labels.set(content))
  };
}

/** Undo a step or make one again, whichever `model` has. */
function move(session: string, id: string, model: Model): IChange | undefined {
  const by = random(3) === 0 ? 1 : -1;
  if (!model.states[model.at + by]) {
    return undefined;
  }
  return {
    kind: 'moves',
    send: client => client.request(by < 0 ? 'history.undo' : 'history.redo', { session }, { id }),
    apply: each => void (each.at += by)
  };
}

it(
  `After ${KILLS} kills while labels stream, every acknowledged change is there, in order and whole`,
  async () => {
    await sidecar.start();
    let client = await sidecar.connect();
    const { session } = await openSession(client);
    const model = new Model();
    const seen = { acknowledged: 0, strokes: 0, whole: 0, moves: 0, inFlight: 0, unacknowledgedKept: 0 };
    let version = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const changes: IChange[] = [];
      const planned = model.clone();
      const plan = (change: IChange): IChange => {
        change.apply(planned);
        changes.push(change);
        return change;
      };
      let acknowledged = 0;
      let dead = false;
      const gone = new Promise<string>(resolve => sidecar.process!.once('exit', () => resolve('gone')));
      const timer = setTimeout(
        () => {
          dead = true;
          void sidecar.kill();
        },
        30 + random(300)
      );
      // A whole array is staged before it is sent, so it goes alone; strokes go in a stream.
      while (!dead) {
        const one = (): IChange => {
          const id = `${kill}-${changes.length}`;
          return plan((random(4) === 0 ? move(session, id, planned) : undefined) ?? stroke(session, id));
        };
        const batch = random(6) === 0 ? [plan(whole(session))] : Array.from({ length: WINDOW }, one);
        const sent = batch.map(change =>
          change.send(client).then(() => {
            acknowledged++;
            seen[change.kind]++;
          })
        );
        await Promise.race([Promise.all(sent), gone]);
        sent.forEach(one => one.catch(() => undefined));
      }
      clearTimeout(timer);
      await sidecar.kill();
      const heard = acknowledged;
      client.close();
      await sidecar.start();
      client = await sidecar.connect();
      const state = await client.request('session.attach', { session });
      // Each change is a version, so the version says how many of them the labels must have, in the order in which they were sent.
      const kept = state.labels.version - version;
      expect(kept).toBeGreaterThanOrEqual(heard);
      expect(kept).toBeLessThanOrEqual(changes.length);
      changes.slice(0, kept).forEach(change => change.apply(model));
      expect(Buffer.from(model.labels).equals(Buffer.from(bytesOf(state.arrays['labels']!)))).toBe(true);
      expect(state.recovered).toBeNull();
      const { steps, position } = await client.request('history.list', { session });
      expect([steps.length, position]).toEqual([model.states.length - 1, model.at]);
      version = state.labels.version;
      seen.acknowledged += heard;
      seen.inFlight += changes.length - heard;
      seen.unacknowledgedKept += kept - heard;
    }
    for (; model.at > 0; model.at--) {
      const { arrays } = await client.request('session.attach', { session });
      expect(Buffer.from(model.labels).equals(Buffer.from(bytesOf(arrays['labels']!)))).toBe(true);
      await client.request('history.undo', { session });
    }
    client.close();
    expect(seen.acknowledged).toBeGreaterThan(KILLS);
    if (process.env['SAMBALAB_KILLS']) {
      process.stderr.write(`${KILLS} kills: ${JSON.stringify(seen)}\n`);
    }
  },
  60000 + KILLS * 10000
);
