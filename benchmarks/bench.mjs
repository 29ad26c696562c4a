/**
 * Compares the engine with the reference in one run: `npm run bench [-- section…] [--json] [--seeds N]`.
 *
 *   features   SAMBA's feature stack
 *   families   each optional feature family beside its counterpart in scikit-image or SciPy
 *   grow       forests, with their out-of-bag score
 *   boosting   boosted trees beside LightGBM's and scikit-learn's
 *   apply      segmenting an image whose features are computed
 *   stroke     from a stroke to the new segmentation of a view
 *   accuracy   mean intersection over union, from strokes drawn from the truth
 *   position   how much of a cell's place a linear model finds in SAM's components; ours alone
 *   guided     a simulated user who labels the most uncertain region, beside one who labels random places; ours alone
 *   suggestions  SAM's suggestions against true objects; ours alone
 *   carry      objects carried through a stack, against true ones; ours alone
 *   similar    objects like an example, and everything in view, against true objects; ours alone
 *   phases     intervals of phase fractions against known fractions; ours alone
 *   memory     a 16-bit image of 8192 × 8192 pixels from features to segmentation; ours alone
 *
 * Times are medians of runs that alternate between the two sides, so that a busy machine slows both, on the same number of threads. Ours
 * runs through the sidecar's engine service, with arrays in shared files, as in use; `reference.py` is the other side. `--quick` takes small
 * images and one run, for the sections of times: it shows that they work, not how fast we are.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { accuracy } from './accuracy.mjs';
import { carry } from './carry.mjs';
import { guided } from './guided.mjs';
import { boosting } from './boosting.mjs';
import { memory } from './memory.mjs';
import { phases } from './phases.mjs';
import { position } from './position.mjs';
import { similar } from './similar.mjs';
import { suggestions } from './suggestions.mjs';
import { forgetPeak, loadEngine, loadSam, peakOf, root, startReference } from './processes.mjs';
import { apply, families, features, grow, stroke } from './speed.mjs';

const SECTIONS = {
  features,
  families,
  grow,
  boosting,
  apply,
  stroke,
  accuracy,
  position,
  guided,
  suggestions,
  carry,
  similar,
  phases,
  memory
};
const UNITS = {
  s: { digits: 3, better: 'less' },
  IoU: { digits: 4, better: 'more' },
  MB: { digits: 0, better: 'less' },
  strokes: { digits: 1, better: 'less' },
  pixels: { digits: 2, better: 'less' },
  part: { digits: 2, better: 'more' },
  objects: { digits: 1, better: 'more' },
  decodes: { digits: 0, better: 'less' },
  slices: { digits: 1, better: 'less' }
};

/** The context of the sections, and their results. */
class Bench {
  constructor(folder, service, sam, reference, { seeds, json, quick }) {
    Object.assign(this, { folder, service, sam, reference, seeds, json, quick });
    this.rows = [];
  }

  /** Names of the micrographs with truth, by kind: real ones if `../shared/data` exists, and synthetic ones. */
  async micrographs(kind = 'superalloy') {
    return (await this.reference.ask({ do: 'names' })).kinds[kind] ?? [];
  }

  report(section, name, ours, reference, unit, note = '', interval = null) {
    const { digits, better } = UNITS[unit];
    const ratio = reference === null ? null : better === 'less' ? reference / ours : ours / reference;
    this.rows.push({ section, name, ours, reference, ratio, unit, ...(interval && { interval }) });
    if (!this.json) {
      const against =
        reference === null ? '' : ` against ${reference.toFixed(digits)} ${unit}, ratio ${ratio.toFixed(2)}`;
      console.log(`${section}: ${name}: ${ours.toFixed(digits)} ${unit}${against}${note && `; ${note}`}`);
    }
  }

  time(section, name, { ours, reference }) {
    this.report(section, name, ours, reference, 's');
  }

  /** Run a section, and report the memory peaks of both sides. */
  async run(section) {
    [process.pid, this.reference.pid].forEach(forgetPeak);
    await SECTIONS[section](this);
    const [ours, reference] = [process.pid, this.reference.pid].map(peakOf);
    if (ours !== null && section !== 'memory') {
      this.report(section, 'peak of the resident set', ours, reference, 'MB');
    }
  }
}

const USAGE = `npm run bench [-- section…] [--json] [--seeds N] [--quick]; sections: ${Object.keys(SECTIONS).join(', ')}.`;

function parse(args) {
  const json = args.includes('--json');
  const seedsAt = args.indexOf('--seeds');
  const seeds = seedsAt < 0 ? 10 : Number(args[seedsAt + 1]);
  const quick = args.includes('--quick');
  const chosen = args.filter((arg, i) => !arg.startsWith('--') && (seedsAt < 0 || i !== seedsAt + 1));
  const unknown = chosen.find(name => !(name in SECTIONS));
  if (unknown !== undefined || !(seeds >= 1)) {
    throw new Error(
      `${unknown === undefined ? '--seeds takes a number from 1' : `there is no section ${unknown}`}. ${USAGE}`
    );
  }
  return { json, seeds, quick, chosen: chosen.length ? chosen : Object.keys(SECTIONS) };
}

async function main(args) {
  if (args.includes('--help')) {
    console.log(USAGE);
    return;
  }
  const options = parse(args);
  const folder = mkdtempSync(join(tmpdir(), 'sambalab-bench-'));
  mkdirSync(join(folder, 'engine'));
  const reference = startReference();
  let service;
  let sam;
  try {
    service = new (await loadEngine(join(folder, 'engine')))();
    sam = await loadSam(join(folder, 'engine'));
    const bench = new Bench(folder, service, sam, reference, options);
    if (!options.json) {
      const { versions, data } = await reference.ask({ do: 'versions' });
      const cpu = cpus()[0]?.model ?? 'an unknown processor';
      console.log(`${availableParallelism()} threads of ${cpu}; Node ${process.versions.node}; ${versions}`);
      console.log(`images: ${data}\n`);
    }
    for (const section of options.chosen) {
      await bench.run(section);
    }
    if (options.json) {
      console.log(JSON.stringify(bench.rows, null, 2));
    }
  } finally {
    reference.stop();
    await service?.dispose();
    await sam?.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!existsSync(join(root, 'engine/build'))) {
  console.error('bench: the engine is not built; run: npm run bench, which sets up what is missing.');
  process.exitCode = 1;
} else {
  await main(process.argv.slice(2)).catch(error => {
    console.error(`bench: ${error.message}`);
    process.exitCode = 1;
  });
}
