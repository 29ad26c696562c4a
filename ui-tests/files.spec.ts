/** Files out of the widget and into it, on a real disk: by its forms, and by dropping. */
import { expect, test } from '@jupyterlab/galata';
import { LabellerPage } from './labeller';
import { TestNotebook } from './notebook';

const CELL = `
import json, time
from pathlib import Path
import numpy as np, tifffile
from PIL import Image
import sambalab as sl
image = np.arange(120 * 160, dtype=np.uint32).reshape(120, 160).astype(np.uint16)
labels = np.random.default_rng(0).integers(0, 3, image.shape).astype(np.uint8)
Image.fromarray((image % 251).astype(np.uint8)).save("photo.png")
lab = sl.Labeller(image, classes={"pore": "#ff8000", "solid": "#0080ff"}, name="files", fresh=True, pixel_size=(2, "nm"))
lab.set_labels(labels)
lab`;

test.use({ autoGoto: true });

test('Labels go out to files and come back exactly, also while a cell runs and by dropping', async ({
  page,
  tmpPath
}) => {
  const notebook = await TestNotebook.open(page, `${tmpPath}/files.ipynb`, [CELL, '', '']);
  await notebook.run(0);
  const lab = await LabellerPage.in(page);
  const part = (testid: string) => lab.root.getByTestId(`sambalab-${testid}`);
  const python = (code: string) => notebook.execute(1, code);
  const note = part('label-files-note');

  // Out, by key, while a cell runs. The cell is still running when the file is there.
  await lab.press('Shift+S');
  await expect(part('export-what')).toBeFocused();
  await expect(part('export-name')).toHaveValue('files-labels.ome.tif');
  const busy = notebook.execute(2, 'while not Path("files-labels.ome.tif").exists(): time.sleep(0.05)\nprint("seen")');
  await part('export-save').click();
  await expect(note).toHaveText(/^Saved to \/.*files-labels\.ome\.tif$/);
  expect(await busy).toContain('seen');
  expect(
    await python(`
with tifffile.TiffFile("files-labels.ome.tif") as file:
    said = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    print(np.array_equal(file.asarray(), labels), said["PhysicalSizeX"], said["PhysicalSizeXUnit"])`)
  ).toContain('True 2.0 nm');

  // A typed name chooses the format; a file that exists is replaced only after asking.
  await python('Path("mine.png").write_bytes(b"old")');
  await part('export-name').fill('mine.png');
  await expect(part('export-format')).toHaveValue('.png');
  await part('export-name').press('Enter');
  await expect(note).toContainText('mine.png already');
  expect(await python('print(Path("mine.png").read_bytes())')).toContain("b'old'");
  await part('export-replace').click();
  await expect(note).toContainText('Saved to');
  expect(await python('print(np.array_equal(np.asarray(Image.open("mine.png")), labels))')).toContain('True');

  // Back in, with its classes; one undo takes it back.
  await python('lab.set_labels(np.zeros_like(labels))');
  await lab.press('Shift+O');
  await part('open-path').fill('mine.png');
  await part('open-file').click();
  await expect(note).toContainText('“mine.png” now');
  expect(await python('print(np.array_equal(lab.labels, labels), lab.classes)')).toContain("True ('pore', 'solid')");
  await lab.press('Control+z');
  await expect.poll(() => python('print(lab.labels.any())')).toContain('False');

  // Dropped from the computer.
  const bytes = await python('print(json.dumps(list(Path("mine.png").read_bytes())))');
  const drop = await page.evaluateHandle(
    content => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(content)], 'dropped.png'));
      return transfer;
    },
    JSON.parse(bytes) as number[]
  );
  const stage = lab.root.locator('canvas').first();
  await stage.dispatchEvent('dragover', { dataTransfer: drop });
  await expect(part('file-drop')).toBeVisible();
  await stage.dispatchEvent('drop', { dataTransfer: drop });
  await expect(part('file-drop')).toBeHidden();
  await expect(note).toContainText('“dropped.png” now');
  expect(await python('print(np.array_equal(lab.labels, labels), Path("dropped.png").exists())')).toContain(
    'True False'
  );

  // An image from JupyterLab's file browser: the labels stay, and it opens in a cell of its own.
  await page.sidebar.openTab('filebrowser');
  const item = page.locator('.jp-DirListing-item', { hasText: 'photo.png' });
  await expect(item).toBeVisible();
  const from = (await item.boundingBox())!;
  const to = (await stage.boundingBox())!;
  await page.mouse.move(from.x + 40, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(from.x + 80, from.y + from.height / 2 + 20, { steps: 4 });
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 });
  await expect(part('file-drop')).toBeVisible();
  await page.mouse.up();
  await expect(note).toContainText('“photo.png” looks like an image');
  expect(await python('print(np.array_equal(lab.labels, labels))')).toContain('True');
  await part('open-image').click();
  await expect(page.getByTestId('sambalab')).toHaveCount(2);
  await expect.poll(() => notebook.execute(2, 'pass').then(() => notebook.cellCount())).toBe(4);
  expect(await notebook.execute(3, 'print(lab2.image[0, :3], lab2.shape)')).toContain('[0 1 2] (120, 160)');
});
