import { LabelStore } from '../label-store';
import { encodePatch, IMaskedPatch } from '../patches';
import { LabelTiles } from '../label-tiles';
import { closeAll, id, image, open, run, same, settle } from '../../state/__tests__/fake-sidecar';

afterEach(closeAll);
afterEach(() => jest.restoreAllMocks());

describe('A stroke', () => {
  it('paints its pixels once and not again at its end', async () => {
    const labeller = await open();
    const { labels } = labeller.parts;
    const paintRun = jest.spyOn(LabelTiles.prototype, 'paintRun');
    const apply = jest.spyOn(LabelTiles.prototype, 'apply');
    const changes: unknown[] = [];
    labels.changed.connect((_, change) => changes.push(change));
    const stroke = labels.stroke(0, 1, [0]);
    stroke.line({ x: 100, y: 100 }, { x: 140, y: 107 }, 9);
    const painted = paintRun.mock.calls.length;
    expect(painted).toBeGreaterThan(0);
    stroke.end();
    expect(paintRun).toHaveBeenCalledTimes(painted);
    expect(apply).not.toHaveBeenCalled();
    expect(changes).toHaveLength(1);
    await labeller.state.drained();
    expect(same(labeller)).toBe(true);
  });

  it.each(['all' as const, [0], [1], [0, 2]])(
    'has the sidecar’s pixels in the end when another peer draws under it (replaces: %j)',
    async replaces => {
      const labeller = await open();
      const { sidecar, parts, state } = labeller;
      const stroke = parts.labels.stroke(0, 1, replaces);
      stroke.line({ x: 200, y: 100 }, { x: 320, y: 100 }, 9);
      const theirs = { ...run(2, 100, 180, 300), replaces: 'all' as const };
      sidecar.apply(theirs);
      const { params, buffers } = encodePatch(id, theirs);
      sidecar.tell('patch', { origin: 'other', version: 1, patch: params }, buffers);
      await settle();
      stroke.line({ x: 320, y: 100 }, { x: 330, y: 110 }, 9);
      stroke.end();
      await state.drained();
      await settle();
      expect(sidecar.labels[100 * image.columns + 250]).toBe(replaces === 'all' || replaces.includes(2) ? 1 : 2);
      expect(same(labeller)).toBe(true);
    }
  );

  it('on the correction names the classes that stay, and takes their pixels from the sidecar when it ends', async () => {
    const { sidecar, state, parts } = await open();
    const { labels } = parts;
    const correction = new LabelStore({ image, link: state.connection, labels, keeps: () => [2] });
    correction.slice(0);
    await settle();
    const sent: IMaskedPatch[] = [];
    labels.queue.sent.connect((_, patch) => sent.push(patch));
    const fetched = () => sidecar.methods.filter(method => method === 'overlay.tiles').length;
    const before = fetched();
    const stroke = correction.stroke(0, 1, 'all');
    stroke.line({ x: 200, y: 100 }, { x: 260, y: 100 }, 9);
    stroke.end();
    await state.drained();
    await settle();
    expect(sent.map(patch => encodePatch(id, patch).params)).toMatchObject([{ layer: 'correction', keeps: [2] }]);
    expect(fetched()).toBeGreaterThan(before);
    correction.dispose();
  });

  it('stays visible in each view when the labels are fetched again', async () => {
    const labeller = await open();
    const { labels } = labeller.parts;
    const strokes = [100, 300].map(row => {
      const stroke = labels.stroke(0, 1, [0]);
      stroke.line({ x: 200, y: row }, { x: 260, y: row }, 9);
      return stroke;
    });
    labels.reload();
    await settle();
    expect([labels.slice(0).at(100, 230), labels.slice(0).at(300, 230)]).toEqual([1, 1]);
    strokes.forEach(stroke => stroke.end());
    await labeller.state.drained();
    expect(same(labeller)).toBe(true);
  });

  it('records when the pointer was lifted', async () => {
    const { state, parts } = await open();
    const stroke = parts.labels.stroke(0, 1, [0]);
    stroke.line({ x: 200, y: 100 }, { x: 210, y: 100 }, 3);
    stroke.end(1234);
    expect(state.times.all.at(-1)!.released).toBe(1234);
    await state.accept({ row: 300, column: 350 });
    expect(state.times.all.at(-1)!.released).toBeNull();
  });

  it('that is dropped leaves the labels as they were, and is not sent', async () => {
    const labeller = await open();
    const { parts, state } = labeller;
    parts.labels.commit(run(2, 400, 180, 300));
    await state.drained();
    const sent = state.times.all.length;
    const stroke = parts.labels.stroke(0, 1, 'all');
    stroke.line({ x: 200, y: 400 }, { x: 320, y: 560 }, 9);
    const at = () => [400, 560].map((row, i) => parts.labels.slice(0).at(row, 200 + 120 * i));
    expect(at()).toEqual([1, 1]);
    stroke.drop();
    expect(at()).toEqual([2, 0]);
    await state.drained();
    expect(same(labeller)).toBe(true);
    expect(state.times.all.length).toBe(sent);
  });

  it('that is dropped leaves the pixels that another peer drew meanwhile', async () => {
    const labeller = await open();
    const { sidecar, parts } = labeller;
    const stroke = parts.labels.stroke(0, 1, [0]);
    stroke.line({ x: 200, y: 100 }, { x: 320, y: 100 }, 9);
    const theirs = run(2, 100, 180, 300);
    sidecar.apply(theirs);
    const { params, buffers } = encodePatch(id, theirs);
    sidecar.tell('patch', { origin: 'other', version: 1, patch: params }, buffers);
    stroke.drop();
    await settle();
    expect(parts.labels.slice(0).at(100, 250)).toBe(2);
    expect(same(labeller)).toBe(true);
  });

  it('that is dropped leaves the one that is drawn in another view', async () => {
    const labeller = await open();
    const { parts, state } = labeller;
    const [one, other] = [1, 2].map(classId => parts.labels.stroke(0, classId, [0]));
    one!.line({ x: 200, y: 100 }, { x: 320, y: 100 }, 9);
    other!.line({ x: 200, y: 130 }, { x: 320, y: 130 }, 9);
    one!.drop();
    await settle();
    expect([parts.labels.slice(0).at(100, 250), parts.labels.slice(0).at(130, 250)]).toEqual([0, 2]);
    other!.end();
    await state.drained();
    expect(same(labeller)).toBe(true);
  });
});

describe('The labels of a stack', () => {
  it('are fetched again for the slices used last, and for the others when they are used', async () => {
    const { sidecar, parts } = await open(undefined, image, 30);
    const { labels } = parts;
    const drawn = labels.stroke(3, 1, [0]);
    drawn.line({ x: 200, y: 100 }, { x: 260, y: 100 }, 9);
    for (let slice = 0; slice < 30; slice++) {
      labels.slice(slice);
    }
    await settle();
    const fetched = () => sidecar.asked['overlay.tiles']!.splice(0).sort((a, b) => a - b);
    fetched();
    labels.reload();
    expect(fetched()).toEqual([3, 26, 27, 28, 29]);
    labels.slice(5);
    expect(fetched()).toEqual([5]);
    await settle();
    expect(labels.slice(3).at(100, 230)).toBe(1);
    expect(labels.slice(5).at(100, 230)).toBe(0);
  });
});
