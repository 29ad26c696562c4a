/**
 * Makes pictures of the widget's states in `docs/images/states`, the page `docs/states.md` that shows them, and the README's
 * picture: `npm run measure -- pictures`. All of them are to be looked at.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { IJupyterLabPageFixture, test } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';
import { GOLD, IPixel, LabellerPage } from './labeller';
import { TestNotebook } from './notebook';
import { serverFolder } from './servers';
import { sidecarPid } from './sidecars';

const DOCS = join(__dirname, '../docs');
const FOLDER = join(DOCS, 'images/states');

const THEMES = {
  light: 'JupyterLab Light',
  dark: 'JupyterLab Dark',
  contrast: 'JupyterLab Dark High Contrast'
} as const;

type Theme = keyof typeof THEMES;

interface IMade {
  /** The picture in the light theme, and that with the dark theme and high contrast side by side, if there is one. */
  files: string[];
  text: string;
}

/** Prints the pixel deepest inside a particle of the stack's first slice. */
const PARTICLE = `
import json
from scipy.ndimage import distance_transform_edt
truth = sl.data.micrograph("particles", (400, 600), seed=0)[1]
inner = distance_transform_edt(truth == truth.max())
inner[:60] = inner[-60:] = inner[:, :60] = inner[:, -60:] = 0
row, column = np.unravel_index(inner.argmax(), inner.shape)
print(json.dumps({"row": int(row), "column": int(column)}))`;

const made: IMade[] = [];

interface IPanel {
  content: { widgets: { node: HTMLElement; model: { sharedModel: { setSource(text: string): void } } }[] };
}

type Window = { jupyterapp: { commands: { execute(id: string, args?: object): Promise<void> } } };

const run = (page: IJupyterLabPageFixture, id: string, args: object = {}) =>
  page.evaluate(([command, its]) => (window as unknown as Window).jupyterapp.commands.execute(command, its), [
    id,
    args
  ] as const);

/** Write pictures side by side, as WebP or PNG, with Pillow. */
function write(pngs: readonly Buffer[], file: string, scale: number): void {
  const source = `
import base64, io, json, sys
from PIL import Image
images = [Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB") for one in json.load(sys.stdin)]
image = Image.new("RGB", (sum(one.width for one in images), max(one.height for one in images)), "white")
left = 0
for one in images:
    image.paste(one, (left, 0))
    left += one.width
scale = float(sys.argv[2])
if sys.argv[1].endswith(".png"):
    image.quantize(200).save(sys.argv[1], optimize=True)
else:
    image.resize((round(image.width * scale), round(image.height * scale)), Image.LANCZOS).save(sys.argv[1], quality=55, method=6)`;
  mkdirSync(dirname(file), { recursive: true });
  const input = JSON.stringify(pngs.map(png => png.toString('base64')));
  execFileSync('python', ['-c', source, file, String(scale)], { input });
}

/** Set the width of the labeller, by that of the window. */
async function widen(page: IJupyterLabPageFixture, root: Locator, width: number): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const { width: now } = (await root.boundingBox())!;
    const view = page.viewportSize()!;
    await page.setViewportSize({ width: Math.round(view.width + width - now), height: 1150 });
    await page.waitForTimeout(250);
  }
}

// Galata's kernel watcher cannot read the reply to a restart, so it is off here.
test.use({ kernels: null, sessions: null });

test('Pictures of the states', async ({ page, tmpPath }) => {
  test.setTimeout(1_500_000);
  rmSync(FOLDER, { recursive: true, force: true });
  await page.setViewportSize({ width: 1250, height: 1150 });
  const cell = (options: string) => `lab = sl.Labeller(image, classes=["pore", "ligament"], ${options})\nlab`;
  const gold = cell('pixel_size=(0.543, "nm"), name="pictures", fresh=True');
  const stack = `volume = np.stack([sl.data.micrograph("particles", (400, 600), seed=i // 4)[0] for i in range(12)])
${cell('name="stack", fresh=True').replace('(image', '(volume')}`;
  const notebook = await TestNotebook.open(page, `${tmpPath}/gold.ipynb`, [GOLD.setup, gold, stack, '']);
  await run(page, 'application:toggle-left-area');
  await notebook.run(0);
  await notebook.run(1);
  const lab = await LabellerPage.in(page);

  let theme: Theme = 'light';
  const setTheme = async (next: Theme) => {
    if (next !== theme) {
      theme = next;
      await run(page, 'apputils:change-theme', { theme: THEMES[next] });
      await page.waitForTimeout(600);
    }
  };
  const shoot = async (name: string, text: string, options: { once?: boolean; root?: Locator } = {}) => {
    const pngs: Buffer[] = [];
    for (const each of options.once ? (['light'] as const) : (Object.keys(THEMES) as Theme[])) {
      await setTheme(each);
      await page.waitForTimeout(120);
      pngs.push(await (options.root ?? lab.root).screenshot({ animations: 'disabled' }));
    }
    const files = options.once ? [`${name}.webp`] : [`${name}.webp`, `${name}-dark.webp`];
    write(pngs.slice(0, 1), join(FOLDER, files[0]!), 0.75);
    if (!options.once) {
      write(pngs.slice(1), join(FOLDER, files[1]!), 0.5);
    }
    made.push({ files, text });
    await setTheme('light');
  };
  /** One state: a failure costs its pictures only. */
  const state = async (name: string, make: () => Promise<unknown>) => {
    try {
      await make();
    } catch (error) {
      console.log(`No picture of ${name}: ${String(error).slice(0, 400)}`);
      await page.keyboard.press('Escape');
      await page.mouse.up();
    }
  };
  const rest = () => page.mouse.move(3, 3);
  const click = async (pixel: IPixel) => {
    await lab.moveTo(pixel.row, pixel.column);
    await lab.click();
  };

  await state('the empty labeller', async () => {
    await shoot('empty', 'Just opened: the status line says what to do');
    await lab.samReady();
    await shoot('ready', 'SAM is ready');
  });
  await state('the error', async () => {
    await lab.root.getByTestId('sambalab-train').click();
    await page.waitForTimeout(1200);
    await rest();
    await shoot('error', 'Training without labels: what is wrong and what would do');
    await lab.root.getByTestId('sambalab-training-dismiss').click();
  });
  await state('the suggestion', async () => {
    await lab.press('s');
    await lab.moveTo(GOLD.object.row, GOLD.object.column);
    await lab.suggestionAt(GOLD.object.row, GOLD.object.column);
    await shoot('suggestion', 'A suggestion of SAM under the pointer');
    await lab.moveTo(GOLD.object.row + 3, GOLD.object.column);
    await lab.suggestionAt(GOLD.object.row + 3, GOLD.object.column);
    await lab.rightClick();
    await page.waitForTimeout(1200);
    await shoot('suggestion-scale', 'The suggestion at another scale, after a right click');
    await lab.press('Alt+a'); // else the chosen scale stays
    await page.keyboard.press('Escape');
    await lab.moveTo(20, 20);
    await page.waitForTimeout(500);
  });
  await state('labels', async () => {
    for (const object of [GOLD.object, ...GOLD.objects]) {
      await lab.moveTo(object.row, object.column);
      await lab.suggestionAt(object.row, object.column);
      await lab.click();
      await lab.saved();
    }
    await lab.press('2');
    await lab.press('b');
    for (const { row, column } of GOLD.ground) {
      await lab.stroke([
        { row, column },
        { row: row - 12, column: column + 60 }
      ]);
    }
    await lab.saved();
    await shoot('brush', 'The brush, and labels of two classes');
  });
  await state('the tools', async () => {
    const tools = await lab.root
      .locator('[data-testid^="sambalab-tool-"]')
      .evaluateAll(nodes => nodes.map(node => node.getAttribute('data-testid')!.replace('sambalab-tool-', '')));
    for (const tool of tools.filter(name => !['suggest', 'brush', 'polygon', 'lasso'].includes(name))) {
      await lab.root.getByTestId(`sambalab-tool-${tool}`).click();
      await lab.moveTo(300, 300);
      await page.waitForTimeout(200);
      await shoot(`tool-${tool}`, `The tool ${tool}`);
      await page.keyboard.press('Escape');
    }
  });
  await state('the polygon', async () => {
    await lab.press('p');
    for (const corner of [
      { row: 300, column: 250 },
      { row: 330, column: 420 },
      { row: 450, column: 380 },
      { row: 420, column: 240 }
    ]) {
      await click(corner);
    }
    await lab.moveTo(380, 200);
    await shoot('tool-polygon', 'A polygon that is being drawn');
    await page.keyboard.press('Escape');
  });
  await state('the lasso', async () => {
    await lab.press('a');
    await lab.moveTo(350, 500);
    await page.mouse.down();
    for (let i = 1; i < 40; i++) {
      await lab.moveTo(350 + 90 * Math.sin(i / 7), 420 + 80 * Math.cos(i / 7));
    }
    await shoot('tool-lasso', 'A lasso that is being drawn');
    await page.mouse.up();
    await lab.press('Control+z');
    await lab.saved();
  });
  await state('the cross-hair', async () => {
    await rest();
    await lab.press('b');
    await page.keyboard.press('k');
    await page.keyboard.press('Shift+ArrowLeft');
    await page.waitForTimeout(500);
    await shoot('cross-hair', 'The cross-hair for the keyboard');
    await page.keyboard.press('k');
  });
  await state('a training', async () => {
    await lab.root.getByTestId('sambalab-train').click();
    await page.waitForTimeout(250);
    await shoot('busy', 'Training', { once: true });
    await page.waitForFunction(
      () => !!(document.querySelector('[data-testid="sambalab-cancel"]') as HTMLElement | null)?.hidden,
      undefined,
      { timeout: 90_000 }
    );
    await lab.train();
    await rest();
    await shoot('trained', 'Trained: the segmentation lies over the image');
  });
  await state('the overlays', async () => {
    await lab.press('v');
    await shoot('overlay-labels', 'Labels alone (V)');
    await lab.press('v');
    await shoot('overlay-segmentation', 'Segmentation alone (V)');
    await lab.press('v');
    await lab.root.getByTestId('sambalab-segmentation-outline').click();
    await rest();
    await shoot('overlay-outline', 'The segmentation as outlines');
    await lab.root.getByTestId('sambalab-segmentation-outline').click();
    await page.keyboard.down('h');
    await page.waitForTimeout(200);
    await shoot('overlay-none', 'The image alone, while H is held');
    await page.keyboard.up('h');
  });
  await state('the filled region', async () => {
    await lab.press('f');
    await click(GOLD.elsewhere);
    await lab.saved();
    await shoot('tool-flood', 'A region filled by its grey value');
    await lab.press('Control+z');
    await lab.saved();
  });
  await state('the comparison', async () => {
    await lab.press('c');
    await page.waitForTimeout(600);
    await rest();
    await shoot('comparison', 'The segmentation before the last training beside the new one (C)');
    await lab.press('c');
  });
  await state('the correction', async () => {
    await lab.open('correction');
    await lab.press('q');
    await lab.press('2');
    await lab.press('b');
    await lab.stroke([
      { row: 520, column: 150 },
      { row: 560, column: 420 }
    ]);
    await lab.saved();
    await rest();
    await shoot('correction', 'The tools correct the segmentation, apart from the labels (Q)');
    await lab.press('q');
    await lab.press('Control+z');
    await lab.saved();
    await lab.root.getByTestId('sambalab-correction').locator('summary').first().click();
  });
  await state('the region', async () => {
    await lab.press('r');
    await lab.stroke([
      { row: 120, column: 160 },
      { row: 560, column: 700 }
    ]);
    await page.waitForTimeout(1500);
    await rest();
    await shoot('region', 'A region to work on: features, SAM and segmentation are there only (R)');
    await lab.press('Shift+R');
    await page.waitForTimeout(800);
    await lab.press('b');
  });
  await state('the whole window', async () => {
    await page.setViewportSize({ width: 1250, height: 850 });
    await lab.press('w');
    await page.waitForTimeout(500);
    await shoot('whole-window', 'Over the whole window (W)');
    await lab.press('w');
    await page.setViewportSize({ width: 1250, height: 1150 });
    await page.waitForTimeout(300);
  });
  await state('the sections', async () => {
    const all = lab.root.locator('.sambalab-choice details.sambalab-section:not(details details)');
    const sections = await all.evaluateAll(nodes =>
      nodes.map(node => (node.querySelector('.sambalab-section-title')?.textContent ?? '').trim())
    );
    for (const title of sections) {
      const section = all.nth(sections.indexOf(title));
      await section.locator('summary').first().click();
      const eye = section.getByRole('button', { name: /^(Show|Hide) the/ });
      const shows = ['Probability', 'Uncertainty', 'Preview'].includes(title) && (await eye.count()) > 0;
      if (shows) {
        await eye.first().click();
      }
      await rest();
      await section.evaluate(node => node.scrollIntoView({ block: 'nearest' }));
      await page.waitForTimeout(shows ? 2500 : 400);
      await shoot(`section-${title.toLowerCase().replace(/\W+/g, '-')}`, `The section ${title}`);
      if (title === 'Scores') {
        // The README's picture shows the notebook around it.
        await page.setViewportSize({ width: 1180, height: 790 });
        await readmeCell(page);
        write([await page.screenshot({ animations: 'disabled' })], join(DOCS, 'images/widget.png'), 1);
        await page.setViewportSize({ width: 1250, height: 1150 });
      }
      if (shows) {
        await eye.first().click();
      }
      await section.locator('summary').first().click();
    }
  });
  await state('the widths', async () => {
    for (const width of [480, 620, 760, 1500, 1900]) {
      await widen(page, lab.root, width);
      await shoot(`width-${width}`, `${width} pixels wide`);
    }
    await page.setViewportSize({ width: 1250, height: 1150 });
  });
  await state('the list of keys', async () => {
    await lab.press('?');
    await page.waitForTimeout(200);
    await shoot('keys', 'All keys (?)', { root: lab.root.getByTestId('sambalab-help') });
    await page.keyboard.press('Escape');
  });
  await state('live', async () => {
    await lab.live(true);
    await lab.shownIsKept();
    await rest();
    await shoot('live', 'Live: each stroke is learned at once');
    await lab.live(false);
  });
  await state('the banner of loaded labels', async () => {
    await notebook.execute(1, gold.replace(', fresh=True', ''));
    const again = await LabellerPage.in(page);
    await again.samReady();
    await shoot('banner-resumed', 'Labels of an earlier session are loaded', { root: again.root });
  });
  await state('the banner of a damaged file', async () => {
    const session = /[0-9a-f]{32}/.exec(await notebook.execute(3, 'print(lab.session)'))![0];
    process.kill(sidecarPid(), 'SIGKILL');
    const journal = join(serverFolder(), 'data/sessions', session, 'labels.journal');
    const bytes = readFileSync(journal);
    bytes[bytes.length - 5]! ^= 1; // in the last stroke
    writeFileSync(journal, bytes);
    const damaged = await LabellerPage.in(page);
    await damaged.root.getByTestId('sambalab-recovered').waitFor({ timeout: 60_000 });
    await damaged.samReady();
    await rest();
    await shoot('banner-recovered', 'A file of the labels was damaged: what is lost, and what was kept', {
      root: damaged.root
    });
    await damaged.root.getByTestId('sambalab-recovered-close').click();
  });
  await state('the restarted kernel', async () => {
    await notebook.restartKernel();
    await page.waitForTimeout(1000);
    await shoot('kernel-restarted', 'The kernel was restarted: the cell is to be run again');
    await notebook.run(0);
    await notebook.execute(1, gold.replace(', fresh=True', '').replace('"pictures"', '"renamed"'));
    const other = await LabellerPage.in(page);
    await other.samReady();
    await other.root.getByTestId('sambalab-related').waitFor();
    await shoot('banner-related', 'Labels of this image in another notebook or variable are offered', {
      root: other.root
    });
    await notebook.execute(1, gold.replace(', fresh=True', ''));
    await LabellerPage.in(page);
  });
  await state('a flat image', async () => {
    await notebook.execute(1, gold.replace('(image', '(image[:200]').replace('"pictures"', '"flat"'));
    const flat = await LabellerPage.in(page);
    await flat.samReady();
    await rest();
    await shoot('flat', 'A flat image: the stage is no higher than it needs', { root: flat.root });
    await notebook.execute(1, gold.replace(', fresh=True', ''));
    await LabellerPage.in(page);
  });
  await state('the stopped sidecar', async () => {
    await notebook.execute(3, 'sl.shutdown()');
    await page.waitForTimeout(800);
    await shoot('stopped', 'The sidecar was stopped');
  });
  await state('the stack', async () => {
    await notebook.execute(1, '');
    await notebook.run(2);
    const slices = await LabellerPage.in(page);
    await slices.samReady();
    await slices.press('b');
    await slices.stroke([
      { row: 200, column: 200 },
      { row: 230, column: 300 }
    ]);
    await slices.press('PageDown');
    await page.waitForTimeout(1500);
    await shoot('stack', 'A stack of slices', { root: slices.root });
    await slices.press('PageDown');
    await slices.press('PageDown');
    await slices.stroke([
      { row: 180, column: 220 },
      { row: 260, column: 330 }
    ]);
    await slices.press('j');
    await page.waitForTimeout(1500);
    await rest();
    await shoot('stack-filled', 'Labels were filled between slices (J): marks at the slider', { root: slices.root });
    await slices.press('s');
    const particle = JSON.parse(await notebook.execute(3, PARTICLE)) as IPixel;
    await slices.moveTo(particle.row, particle.column);
    await slices.suggestionAt(particle.row, particle.column);
    await slices.press('Shift+A');
    await slices.root.getByText(/like it are proposed/).waitFor({ timeout: 90_000 });
    await rest();
    await shoot('similar', 'All objects like the one under the pointer, before they are taken (Shift+A)', {
      root: slices.root
    });
    await page.keyboard.press('Escape');
    await slices.moveTo(particle.row, particle.column);
    await slices.suggestionAt(particle.row, particle.column);
    await slices.press('Shift+D');
    await slices.saved();
    await page.waitForTimeout(8000);
    await rest();
    await shoot('carried', 'An object was carried through the stack, and labelled on its slices (Shift+D)', {
      root: slices.root
    });
    await slices.root.getByTestId('sambalab-direction-xz').click();
    await page.waitForTimeout(1500);
    await shoot('stack-xz', 'The same volume in the direction xz', { root: slices.root });
  });
  writePage();
});

/** Show the cell as the README has it, at the top. */
async function readmeCell(page: IJupyterLabPageFixture): Promise<void> {
  await page.evaluate(() => {
    const { jupyterapp } = window as unknown as { jupyterapp: { shell: { currentWidget: IPanel } } };
    const cell = jupyterapp.shell.currentWidget.content.widgets[1]!;
    cell.model.sharedModel.setSource(
      'image, pixel_size = sl.data.nanoporous_gold()\nlab = sl.Labeller(image, classes=["pore", "ligament"], pixel_size=(pixel_size, "nm"))\nlab'
    );
    cell.node.scrollIntoView({ block: 'start' });
  });
  await page.waitForTimeout(500);
}

/** The page that shows all pictures. */
function writePage(): void {
  const there = new Set(readdirSync(FOLDER));
  const rows = made.map(({ files, text }) => {
    const pictures = files.filter(file => there.has(file)).map(file => `![${text}](images/states/${file})`);
    return `### ${text}\n\n${pictures.join('\n\n')}\n`;
  });
  writeFileSync(
    join(DOCS, 'states.md'),
    `# The states of the widget\n\nMade by \`npm run measure -- pictures\`, on the example micrograph. The second picture of a state shows the dark theme and the one of high contrast.\n\n${rows.join('\n')}`
  );
}
