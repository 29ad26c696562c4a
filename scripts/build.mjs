/**
 * Build all parts, or only those named: `node scripts/build.mjs [engine|server|browser]...`
 *
 *   engine   engine/assembly → engine/build/engine.wasm, decoder.wasm and decoder-relaxed.wasm
 *   server   kernel-server, engine, the tables and limits of src/shared, the SAM models' manifests and decoders → sambalab/server
 *   browser  src → lib → sambalab/labextension; the commands' keys → schema/widget.json
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importTypeScript } from './typescript.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

/** Run a tool and show its output only if it fails. */
function quietly(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`${args[0]} failed:\n${stdout}${stderr}`);
  }
}

const tool = name => join(root, 'node_modules', name);

const parts = {
  engine() {
    mkdirSync(join(root, 'engine/build'), { recursive: true });
    const compile = (entry, target) =>
      node(tool('assemblyscript/bin/asc.js'), entry, '--config', 'engine/asconfig.json', '--target', target);
    compile('engine/assembly/index.ts', 'release');
    for (const target of ['decoder', 'decoder-relaxed']) {
      compile('engine/assembly/decoder/index.ts', target);
    }
  },
  async server() {
    const { build } = await import('esbuild');
    const out = join(root, 'sambalab/server');
    const start = Date.now();
    await build({
      absWorkingDir: root,
      entryPoints: {
        main: 'kernel-server/src/main.ts',
        'sam-child-process': 'kernel-server/src/sam/child-process.ts',
        'engine-worker': 'kernel-server/src/engine/worker.ts',
        'decoder-worker': 'kernel-server/src/sam/decoder-worker.ts',
        'models-cli': 'kernel-server/src/models-cli.ts'
      },
      outdir: out,
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      sourcemap: 'linked',
      logLevel: 'warning',
      external: ['zeromq', 'onnxruntime-node', 'webgpu']
    });
    for (const kernels of ['engine.wasm', 'decoder.wasm', 'decoder-relaxed.wasm']) {
      copyFileSync(join(root, 'engine/build', kernels), join(out, kernels));
    }
    for (const table of ['features.json', 'learners.json']) {
      copyFileSync(join(root, 'src/shared', table), join(out, table));
    }
    const { MODELS } = await importTypeScript('src/shared/models/index.ts');
    writeFileSync(join(out, 'models.json'), `${JSON.stringify(MODELS, undefined, 1)}\n`);
    for (const { id, decoder } of MODELS) {
      node(join(root, 'scripts/build-decoder.mjs'), id, join(out, decoder.file.name));
    }
    const { LIMITS } = await importTypeScript('src/shared/limits-json.ts');
    writeFileSync(join(out, 'limits.json'), `${JSON.stringify(LIMITS, undefined, 1)}\n`);
    // The wheel takes the whole folder, so remove files of earlier builds. Sidecars that run keep those that were replaced.
    for (const file of readdirSync(out).map(name => join(out, name))) {
      if (statSync(file).mtimeMs < start - 1000) {
        rmSync(file, { recursive: true });
      }
    }
  },
  async browser() {
    await writeShortcuts();
    // A module left over from an older checkout would be found before a folder of its name.
    rmSync(join(root, 'lib'), { recursive: true, force: true });
    node(tool('typescript/bin/tsc'), '-p', 'tsconfig.json');
    for (const kernels of ['decoder.wasm', 'decoder-relaxed.wasm']) {
      copyFileSync(join(root, 'engine/build', kernels), join(root, 'lib/widget/decoder', kernels));
    }
    // Its warnings print onnxruntime-web's minified code in full.
    quietly(
      tool('@jupyter/builder/lib/build-labextension.js'),
      '--core-package-file',
      tool('@jupyterlab/core-meta/core.package.json'),
      root
    );
  }
};

/** Write the keys of the widget's commands into the schema, where JupyterLab lists them and lets users change them. */
async function writeShortcuts() {
  const file = join(root, 'schema/widget.json');
  const { shortcuts } = await importTypeScript('src/widget/commands/index.ts');
  const schema = { ...JSON.parse(readFileSync(file, 'utf8')), 'jupyter.lab.shortcuts': shortcuts() };
  const { format, resolveConfig } = await import('prettier');
  const text = await format(JSON.stringify(schema), { ...(await resolveConfig(file)), filepath: file });
  if (text !== readFileSync(file, 'utf8')) {
    writeFileSync(file, text);
  }
}

const names = process.argv.slice(2);
try {
  await buildAll();
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exit(1);
}

async function buildAll() {
  for (const name of names.length ? names : Object.keys(parts)) {
    if (!(name in parts)) {
      console.error(`There is no part ${name}; parts are ${Object.keys(parts).join(', ')}.`);
      process.exit(1);
    }
    const start = Date.now();
    console.log(`build: ${name} …`);
    await parts[name]();
    console.log(`build: ${name} done in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  }
}
