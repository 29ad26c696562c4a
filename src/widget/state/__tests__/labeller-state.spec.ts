import { deflateRawSync } from 'node:zlib';
import { LABEL_TILE } from '../../../shared';
import { MaskBuilder } from '../../labels/raster';
import { encodePatch } from '../../labels/patches';
import { Connection } from '../connection';
import { statusText } from '../../frame/status-text';
import { closeAll, FakeSidecar, id, image, open, run, same, settle, squareAt, stroke, until } from './fake-sidecar';

afterEach(closeAll);

/** The status line of a labeller without labels, once SAM is ready. */
const READY = 'Click on “matrix”, then press 2 and click on “pore”; then Train.';

/** The mask of all pixels. */
function everything() {
  const mask = new MaskBuilder(image);
  mask.addRect({ row0: 0, row1: image.rows, column0: 0, column1: image.columns });
  return mask.tiles();
}

describe('LabellerState', () => {
  it('shows strokes at once, and has the sidecar’s pixels after sending them', async () => {
    const labeller = await open();
    stroke(labeller.state, 1, 100, 240);
    expect(labeller.parts.labels.slice(0).at(100, 245)).toBe(1);
    expect(labeller.sidecar.labels[100 * image.columns + 245]).toBe(0);
    stroke(labeller.state, 2, 104, 250);
    stroke(labeller.state, 0, 100, 260);
    await labeller.state.drained();
    expect(labeller.sidecar.version).toBe(3);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('shows no suggestion of a slice whose embedding comes late, after the connection was gone', async () => {
    const { state, sidecar, parts } = await open(undefined, undefined, 4);
    const ready = () => until(() => parts.embedding.state.state === 'ready');
    state.setSlice(1);
    await until(() => parts.embedding.state.state === 'computing');
    await ready();
    // The embedding of slice 2 is on its way when the connection goes, and the user goes on to slice 3.
    const release = sidecar.hold('sam.embedding');
    state.setSlice(2);
    await until(() => sidecar.asked['sam.embedding']!.includes(2));
    state.connection.away();
    expect(statusText(state)).toMatchObject({
      kind: 'busy',
      text: expect.stringMatching(/^The kernel cannot be reached/)
    });
    state.setSlice(3);
    expect(parts.embedding.state.state).toBe('waiting');
    release();
    await settle();
    expect([parts.embedding.state.state, parts.suggestions.ready]).toEqual(['waiting', false]);
    // A slice that the page has suggests without a connection.
    state.setSlice(1);
    expect(parts.embedding.state.state).toBe('ready');
    expect(parts.suggestions.ready).toBe(true);
    state.setSlice(3);
    expect(parts.suggestions.ready).toBe(false);
    stroke(state, 1, 100, 240);
    await state.connection.attach();
    await ready();
    await state.drained();
    expect(sidecar.asked['sam.embedding']!.at(-1)).toBe(3);
    expect(sidecar.version).toBe(1);
    expect(statusText(state).kind).toBe('plain');
    state.dispose();
  });

  it('is offline while no answer comes, and goes on with the first one', async () => {
    const sidecar = new FakeSidecar();
    const connection = new Connection({ session: id, connect: () => Promise.resolve(sidecar), answerMs: 50 });
    await connection.open();
    await connection.check();
    expect(connection.state.state).toBe('connected');
    const release = sidecar.hold('ping');
    const checked = connection.check();
    await until(() => connection.state.state === 'offline');
    release();
    await checked;
    expect(connection.state.state).toBe('connected');
    connection.dispose();
  });

  it('accepts a suggestion into the current class', async () => {
    const labeller = await open();
    labeller.state.setClass(2);
    await labeller.state.accept({ row: 300, column: 350 });
    await labeller.state.drained();
    expect(labeller.sidecar.labels[300 * image.columns + 350]).toBe(2);
    const count = labeller.sidecar.labels.reduce((sum, value) => sum + (value === 2 ? 1 : 0), 0);
    expect(count).toBeGreaterThan(80 * 80);
    expect(count).toBeLessThan(95 * 95);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('accepts a suggestion that is held where older labels, locks and the overlap rule let it', async () => {
    const labeller = await open();
    const { state, sidecar, parts } = labeller;
    const at = (row: number, column: number) => sidecar.labels[row * image.columns + column];
    const accept = async () => {
      parts.suggestions.add({ points: [{ row: 300, column: 350, label: 1 }] });
      await state.accept(parts.suggestions.place!);
      await state.drained();
      return [at(300, 350), at(320, 350)];
    };
    stroke(state, 2, 320, 350);
    expect(await accept()).toEqual([1, 2]);
    state.settings.set({ overlap: 'over' });
    await state.mark('locked', 2, true);
    expect(await accept()).toEqual([1, 2]);
    await state.mark('locked', 2, false);
    state.settings.set({ overlap: 'same' });
    expect(await accept()).toEqual([1, 2]); // it begins on class 1
    state.settings.set({ overlap: 'over' });
    expect(await accept()).toEqual([1, 1]);
    await state.mark('locked', 1, true);
    state.setClass(1);
    parts.suggestions.add({ points: [{ row: 100, column: 100, label: 1 }] });
    await state.accept(parts.suggestions.place!);
    expect(state.notice).toMatch(/is locked/);
    expect(parts.suggestions.held).not.toBeNull(); // to accept after unlocking
    state.dispose();
  });

  it('keeps what it proposes on other slices, and labels it on all of them as one step', async () => {
    const { state, sidecar, parts } = await open(undefined, image, 3);
    await state.accept({ row: 300, column: 350 });
    await state.findSimilar(); // the embedding of the view is gone
    await state.findSimilar();
    expect(statusText(state).text).toMatch(
      /^1 object like it is proposed\. Enter takes all.*again looks in all slices/
    );
    state.setSlice(1);
    expect(statusText(state).text).toMatch(/^1 object like it is proposed, 1 on slice 0\./);
    await until(() => parts.embedding.state.state === 'ready');
    await state.findSimilar();
    expect(parts.similar.slices).toEqual([0, 1, 2]);
    expect(statusText(state).text).toMatch(/^3 objects like it are proposed, 2 on other slices \(0 to 2\)\./);
    await state.findSimilar();
    expect([state.notice?.split('.')[0], parts.similar.count]).toEqual(['SAM has looked everywhere', 3]);
    // Nothing is lost where labels cannot be saved.
    sidecar.refuse = [{ code: 'disk-full', message: 'no room' }];
    await state.acceptSimilar();
    expect([state.error, parts.similar.count, sidecar.paintings]).toEqual(['no room', 3, []]);
    await state.mark('locked', 1, true);
    await state.acceptSimilar();
    expect(state.notice).toMatch(/is locked/);
    state.setClass(2);
    const accepted = state.acceptSimilar();
    expect(parts.similar.count).toBe(0);
    await accepted;
    const made = { provenance: 'sam', tool: 'suggestion' };
    expect(sidecar.paintings).toEqual([{ slices: [0, 1, 2], params: { session: id, class: 2, replaces: [0], made } }]);
    expect(state.notice).toBe('3 objects on 3 slices are labelled.');
    expect(sidecar.methods.filter(method => method === 'labels.patch')).toHaveLength(1);
  });

  it('takes what is found so far while it looks on, and says so', async () => {
    const { state, sidecar, parts } = await open(undefined, image, 2);
    await state.accept({ row: 300, column: 350 });
    await state.findSimilar(); // the embedding of the view is gone
    await state.findSimilar();
    const answer = sidecar.hold('sam.similar-window');
    const searching = state.findSimilar();
    expect(statusText(state)).toEqual({
      text: 'Looking in all slices: 1 so far (0 %)… Enter takes these, Escape ends it.',
      kind: 'busy'
    });
    await state.acceptSimilar();
    answer();
    await searching;
    await state.drained();
    expect([parts.similar.searching, parts.similar.count]).toEqual([null, 0]);
    expect(sidecar.labels[110 * image.columns + 530]).toBe(1);
    state.dispose();
  });

  it('proposes the object at the pointer with those like it', async () => {
    const { state, parts } = await open();
    const at = { row: 300, column: 350 };
    parts.suggestions.move(at, 0);
    await until(() => parts.suggestions.current !== null && !parts.suggestions.busy);
    await state.findSimilar();
    expect(parts.similar.on(0)?.objects.map(object => object.contains(at))).toEqual([true]);
    await state.findSimilar(); // the sidecar finds another one
    expect(statusText(state).text).toMatch(/^This object and 1 like it are proposed\./);
    await state.acceptSimilar();
    await state.drained();
    expect([at, { row: 110, column: 530 }].map(({ row, column }) => parts.labels.slice(0).at(row, column))).toEqual([
      1, 1
    ]);
  });

  it('says why nothing is suggested where the pointer rests, and why nothing is carried in an image of one slice', async () => {
    const all = { lowRes: [0, 1, 2].map(() => new Float32Array(256 * 256).fill(8)), scores: [1, 1, 1], single: null };
    const { state, parts } = await open(async () => all);
    parts.suggestions.move({ row: 300, column: 350 }, 0);
    await until(() => parts.absent.why !== null);
    expect(statusText(state).text).toMatch(/^All that SAM sees here covers more than a third of the image\./);
    parts.suggestions.leave();
    expect(statusText(state).text).toBe(READY);
    await state.carry();
    expect(statusText(state).text).toMatch(/^This image has one slice/);
    parts.suggestions.add({ box: { row0: 280, row1: 320, column0: 330, column1: 370 } });
    await until(() => parts.suggestions.current !== null);
    parts.suggestions.choose('large');
    expect(statusText(state).text).toMatch(/^This object is shown at the large scale \(L\)\. Click what belongs to it/);
  });

  it('drops what it proposes when SAM sees another region; goes on searching when asked again, and not when it is closed', async () => {
    const { state, sidecar, parts } = await open(undefined, image, 2);
    await state.accept({ row: 300, column: 350 });
    await state.findSimilar();
    const answer = sidecar.hold('sam.similar-window');
    const searching = state.findSimilar();
    expect(statusText(state).text).toBe('Looking in the whole slice: 0 so far (0 %)… Escape ends it.');
    await state.findSimilar();
    answer();
    await searching;
    expect(sidecar.asked['sam.similar-window']).toEqual([0]);
    expect(parts.similar.count).toBe(1);
    await state.workOn({ row0: 0, row1: 200, column0: 0, column1: 600 });
    expect([parts.similar.count, parts.similar.next]).toEqual([0, null]);
    await state.accept({ row: 100, column: 350 });
    await state.drained();
    await state.findSimilar();
    sidecar.hold('sam.similar-window');
    void state.findSimilar();
    await until(() => sidecar.methods.at(-1) === 'sam.similar-window');
    state.dispose();
    expect(sidecar.methods.at(-1)).toBe('cancel');
  });

  it('accepts no suggestion of which SAM is not sure while those are hidden, unless it is held', async () => {
    const { state, sidecar, parts } = await open();
    const count = () => sidecar.labels.reduce((sum, value) => sum + value, 0);
    state.settings.set({ weakSuggestions: 'hidden', suggestionScore: 0.95 });
    await state.accept({ row: 300, column: 350 });
    await state.drained();
    expect([count(), state.notice]).toEqual([0, expect.stringMatching(/^SAM is not sure/)]);
    parts.suggestions.add({ points: [{ row: 300, column: 350, label: 1 }] });
    await state.accept(parts.suggestions.place!);
    await state.drained();
    expect(count()).toBeGreaterThan(1000);
    state.dispose();
  });

  it('carries out quick clicks in order, each in the class of its time', async () => {
    const answers: (() => void)[] = [];
    const labeller = await open(
      ({ points: [point] }) => new Promise(resolve => answers.push(() => resolve(squareAt(point!.row, point!.column))))
    );
    const { state, parts } = labeller;
    void state.accept({ row: 300, column: 350 });
    state.setClass(2);
    void state.accept({ row: 340, column: 380 });
    parts.suggestions.move({ row: 20, column: 20 }, 10);
    answers.reverse().forEach(answer => answer());
    await state.drained();
    expect(labeller.sidecar.version).toBe(2);
    expect(parts.labels.slice(0).at(320, 365)).toBe(1); // in both masks: the first click's label stays
    expect(parts.labels.slice(0).at(370, 400)).toBe(2);
    expect(same(labeller)).toBe(true);
    state.dispose();
  });

  it('reports the error of a click, and carries out the clicks after it', async () => {
    const labeller = await open();
    const { state, parts } = labeller;
    jest.spyOn(parts.labels, 'commit').mockImplementationOnce(() => {
      throw new Error('no memory for the mask');
    });
    await state.accept({ row: 300, column: 350 });
    expect(state.error).toContain('no memory for the mask');
    await state.accept({ row: 300, column: 350 });
    await state.drained();
    expect(labeller.sidecar.labels[300 * image.columns + 350]).toBe(1);
    state.dispose();
  });

  it('takes the patches of other peers', async () => {
    const labeller = await open();
    const patch = run(2, 50, 10, 600);
    labeller.sidecar.apply(patch);
    const { params, buffers } = encodePatch(id, patch);
    labeller.sidecar.tell('patch', { origin: 'python', version: 1, patch: params }, buffers);
    expect(labeller.parts.labels.slice(0).at(50, 599)).toBe(2);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('has the sidecar’s pixels in the end when another peer draws under a stroke that is being sent', async () => {
    const labeller = await open();
    const theirs = run(2, 100, 200, 320);
    labeller.sidecar.apply(theirs); // the sidecar has theirs first, the browser has its own first
    stroke(labeller.state, 1, 100, 240);
    const { params, buffers } = encodePatch(id, theirs);
    labeller.sidecar.tell('patch', { origin: 'other', version: 1, patch: params }, buffers);
    await labeller.state.drained();
    await settle();
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('fetches the labels again when a patch was missed', async () => {
    const labeller = await open();
    labeller.sidecar.apply(run(2, 20, 0, 50));
    const second = run(2, 30, 0, 50);
    labeller.sidecar.apply(second);
    const { params, buffers } = encodePatch(id, second);
    labeller.sidecar.tell('patch', { origin: 'other', version: 2, patch: params }, buffers);
    await settle();
    expect(labeller.parts.labels.slice(0).at(20, 5)).toBe(2);
    labeller.state.dispose();
  });

  it('paints while the sidecar is gone, and sends all strokes when it is back', async () => {
    const labeller = await open();
    labeller.sidecar.down = true;
    labeller.sidecar.tell('relay', { state: 'lost', message: 'gone' });
    expect(labeller.state.connection.state.state).toBe('lost');
    stroke(labeller.state, 1, 100, 240);
    stroke(labeller.state, 2, 300, 240);
    expect(labeller.parts.labels.slice(0).at(300, 245)).toBe(2);
    expect(labeller.parts.labels.queue.waiting).toHaveLength(2);
    labeller.sidecar.down = false;
    labeller.sidecar.tell('relay', { state: 'connected', message: '' });
    await labeller.state.drained();
    await settle();
    expect(labeller.state.connection.state.state).toBe('connected');
    expect(labeller.sidecar.version).toBe(2);
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('sends nothing to a sidecar that the user stopped, until the user acts', async () => {
    const { state, sidecar, parts } = await open();
    const actions: (() => unknown)[] = [
      () => state.connection.start(),
      () => stroke(state, 1, 100, 240),
      () => void state.setLive(true)
    ];
    for (const act of actions) {
      sidecar.tell('relay', { state: 'stopped', message: '' });
      const send = jest.spyOn(sidecar, 'send');
      parts.tiles.want([{ slice: 0, level: 0, row: 0, column: 1 }]);
      void state.stored.fetch(state.session!);
      await settle();
      expect([state.connection.state.state, send.mock.calls.length]).toEqual(['stopped', 0]);
      send.mockRestore();
      act();
      await state.drained();
      await settle();
      expect(state.connection.state.state).toBe('connected');
    }
    expect([sidecar.version, sidecar.live]).toEqual([1, true]);
    state.dispose();
  });

  it('removes a stroke that the sidecar refuses, and says why', async () => {
    const labeller = await open();
    labeller.sidecar.refuse = [{ code: 'invalid', message: 'class 1 is gone' }];
    stroke(labeller.state, 1, 100, 240);
    await labeller.state.drained();
    await settle();
    expect(labeller.state.error).toBe('class 1 is gone');
    expect(labeller.parts.labels.slice(0).at(100, 245)).toBe(0);
    labeller.state.dispose();
  });

  it('keeps a stroke that the disk has no room for', async () => {
    const labeller = await open();
    labeller.sidecar.refuse = [{ code: 'disk-full', message: 'No room.' }];
    stroke(labeller.state, 1, 100, 240);
    await settle();
    expect(labeller.parts.labels.queue.held?.message).toBe('No room.');
    expect(labeller.parts.labels.slice(0).at(100, 245)).toBe(1);
    labeller.parts.labels.queue.retry();
    await labeller.state.drained();
    expect(same(labeller)).toBe(true);
    labeller.state.dispose();
  });

  it('trains only after all strokes are acknowledged', async () => {
    const labeller = await open();
    stroke(labeller.state, 1, 100, 240);
    stroke(labeller.state, 2, 300, 240);
    await labeller.state.train();
    const { methods } = labeller.sidecar;
    expect(methods.indexOf('train')).toBeGreaterThan(methods.lastIndexOf('labels.patch'));
    labeller.state.dispose();
  });

  it('trains with the last choice, even one made just before', async () => {
    const { sidecar, state } = await open();
    state.choice.setForest({ preset: 'deep' });
    await state.train();
    const { methods } = sidecar;
    expect(methods.indexOf('train')).toBeGreaterThan(methods.indexOf('session.choice'));
    expect(sidecar.choice.forest).toEqual({ preset: 'deep' });
    state.dispose();
  });

  it('shows the choice made in Python, offers its features for a preview, and drops the preview with the image', async () => {
    const { sidecar, state, parts } = await open();
    sidecar.choice = { features: { set: 'weka', median: { sigmas: [3] } }, forest: {} };
    sidecar.tell('session', sidecar.session);
    expect(state.choice.spec.sigmaScale).toBe(0.4);
    expect(parts.preview.names).toContain('median r=3');
    parts.preview.show(true);
    sidecar.digest = 'c'.repeat(64);
    sidecar.tell('session', sidecar.session);
    expect(state.parts!.preview.shown).toBe(false);
    expect(state.parts!.preview.names).toContain('median r=3');
    state.dispose();
  });

  it('loads a classifier only after all strokes are acknowledged', async () => {
    const { sidecar, state } = await open();
    stroke(state, 1, 100, 240);
    const bytes = new TextEncoder().encode('{}');
    await state.loadClassifier({ name: 'a.json', size: 2, arrayBuffer: () => Promise.resolve(bytes.buffer) });
    const { methods } = sidecar;
    expect(methods.indexOf('classifier.load')).toBeGreaterThan(methods.lastIndexOf('labels.patch'));
    expect(state.files.state).toEqual({ state: 'loaded', name: 'a.json' });
    state.dispose();
  });

  it('shows SAM’s progress with the windows of a large image while suggestions are ready', async () => {
    const { sidecar, state } = await open();
    const job = { session: id, job: 'windows', kind: 'embed', state: 'running', stage: 'encoding', message: '' };
    let prepared = 0;
    state.parts!.embedding.changed.connect(() => prepared++);
    sidecar.tell('job', { ...job, done: 0, total: 1 });
    expect(statusText(state).text).toBe(READY);
    sidecar.tell('job', { ...job, stage: 'encoding one window', done: 3, total: 6 }); // a window for prompts
    expect(statusText(state)).toEqual({ text: READY, kind: 'plain' });
    sidecar.tell('job', { ...job, done: 9, total: 36 });
    expect(statusText(state)).toEqual({
      text: `${READY} Encoding details for the classifier… 25 %`,
      kind: 'busy'
    });
    expect(prepared).toBe(0); // a suggestion that is shown stays
    sidecar.tell('job', { ...job, job: 'another', state: 'done', done: 1, total: 1 });
    expect(statusText(state).kind).toBe('busy');
    sidecar.tell('job', { ...job, state: 'done', done: 36, total: 36 });
    expect(statusText(state)).toEqual({ text: READY, kind: 'plain' });
    state.dispose();
  });

  it('follows the stages of the encoder while a slice is prepared', async () => {
    const { sidecar, state, parts } = await open(undefined, image, 2);
    const release = sidecar.hold('sam.embedding');
    state.setSlice(1);
    const job = { session: id, job: 'window', kind: 'embed', state: 'running', message: '' };
    sidecar.tell('job', { ...job, stage: 'encoding one window', done: 3, total: 6 });
    expect(parts.embedding.state).toEqual({ state: 'computing', fraction: 0.5 });
    release();
    await until(() => parts.embedding.state.state === 'ready');
    expect(statusText(state)).toEqual({ text: READY, kind: 'plain' });
    state.dispose();
  });

  it('says at which window of the image SAM is while a training waits for it', async () => {
    const { sidecar, state } = await open();
    const job = { session: id, job: 'training', kind: 'train', state: 'running', message: '' };
    const says = (stage: string, done: number, total: number) => {
      sidecar.tell('job', { ...job, stage, done, total });
      return statusText(state).text;
    };
    expect(says('encoding', 2, 9)).toBe('Training: SAM looks at the image, window 3 of 9');
    expect(says('encoding', 9, 9)).toBe('Training: SAM looks at the image, window 9 of 9');
    expect(says('encoding', 0, 1)).toBe('Training: SAM looks at the image 0 %');
    expect(says('encoding one window', 3, 6)).toBe('Training: SAM looks at the image 50 %');
    expect(says('growing trees', 1, 4)).toBe('Training: growing trees 25 %');
    expect(says('encoding and segmenting', 64, 256)).toBe('Training: encoding and segmenting 25 %');
  });

  it('says what to do next, following what the user did, until there is a segmentation', async () => {
    const { sidecar, state } = await open();
    const text = (counts: Record<string, number>) => {
      sidecar.counts = counts;
      sidecar.tell('session', sidecar.session);
      return statusText(state).text;
    };
    expect(text({})).toBe(READY);
    expect(text({ 1: 9 })).toBe('Now press 2 and click on “pore”, or paint it; then Train.');
    state.setClass(2);
    expect(text({ 1: 9 })).toBe('Now click on “pore”, or paint it; then Train.');
    expect(text({})).toBe('Click on “pore”, then press 1 and click on “matrix”; then Train.');
    expect(text({ 1: 9, 2: 4 })).toBe('Press Train to segment the image, or label more first.');
    sidecar.tell('session', { ...sidecar.session, segmentationFreed: true });
    expect(statusText(state).text).toBe(
      'The segmentation is no longer in memory. Labels and corrections are kept; press Train to make it again.'
    );
    Object.assign(state.session!, { segmentation: { version: 1, part: 0.074 } });
    expect(statusText(state).text).toBe(
      '7 % of the image is segmented: the training was cancelled. Train again for all of it.'
    );
    state.dispose();
  });

  it('offers to undo a stroke over more than half of the image, until something else changes', async () => {
    const { state } = await open();
    const paint = async (rows: number) => {
      const mask = new MaskBuilder(image);
      mask.addRect({ row0: 0, row1: rows, column0: 0, column1: image.columns });
      state.parts!.labels.commit({ slice: 0, classId: 1, replaces: [0], tiles: mask.tiles() });
      await state.drained();
    };
    await paint(120);
    await paint(300);
    expect(state.large).toBeNull(); // of this half, some was labelled before
    await paint(image.rows);
    expect(state.large).toBeNull();
    state.parts!.labels.commit({ slice: 0, classId: 0, replaces: 'all', tiles: everything() });
    await state.drained();
    expect(state.large).toBeNull(); // erasing is no label
    await paint(480);
    expect(statusText(state)).toEqual({
      text: 'That labelled 80 % of the image as “matrix”. Undo it if it is too much.',
      kind: 'plain'
    });
    const mask = new MaskBuilder(image);
    mask.addRun(100, 140, 150);
    state.parts!.labels.commit({ slice: 0, classId: 2, replaces: [0], tiles: mask.tiles() });
    await state.drained();
    expect(state.large).toBeNull();
    expect(state.notice).toBe('Nothing changed: older labels are kept. Choose “Paint over” above to replace them.');
    state.dispose();
  });

  it('shows a failed training until labels change, and SAM’s device beside it', async () => {
    const { sidecar, state } = await open();
    const fail = () =>
      sidecar.tell('job', {
        session: id,
        job: 'python',
        kind: 'train',
        state: 'failed',
        stage: '',
        done: 0,
        total: 1,
        message: 'Label two classes.'
      });
    fail();
    expect(state.training.state).toEqual({ state: 'failed', message: 'Label two classes.' });
    expect(statusText(state).text).toBe(READY);
    stroke(state, 1, 100, 240);
    await state.drained();
    expect(state.training.state).toEqual({ state: 'idle' });
    fail();
    sidecar.tell('labels', { session: id, version: sidecar.version });
    expect(state.training.state).toEqual({ state: 'idle' });
    state.dispose();
  });

  it('tells a kernel that was shut down from one that was restarted', async () => {
    const { sidecar, state } = await open();
    sidecar.closed.emit(undefined);
    expect(statusText(state).text).toContain('The kernel was restarted.');
    state.connection.close('stopped');
    state.connection.close();
    expect(statusText(state).text).toContain('The kernel was shut down.');
    state.dispose();
  });

  it('leaves unsent strokes to the session’s next labeller when its kernel is gone', async () => {
    const first = await open();
    first.state.connection.close();
    stroke(first.state, 1, 100, 240);
    first.state.dispose();
    const second = await open();
    await second.state.drained();
    expect(second.sidecar.labels[100 * image.columns + 245]).toBe(1);
    expect(same(second)).toBe(true);
    second.state.dispose();
  });

  it('fetches the segmentation again after the labels were replaced as a whole', async () => {
    const { sidecar, state, parts } = await open();
    const show = async () => {
      parts.segmentation.want(0, [{ row: 0, column: 0 }]);
      await until(() => parts.segmentation.settled);
    };
    sidecar.version = 1;
    sidecar.labels.fill(1);
    sidecar.tell('segmentation', { session: id, version: 1 });
    await show();
    expect(parts.segmentation.at(0, 5, 5)).toBe(1);
    sidecar.labels.fill(2);
    sidecar.tell('labels', { session: id, version: 1 });
    await show();
    expect(parts.segmentation.at(0, 5, 5)).toBe(2);
    state.dispose();
  });

  it('draws no segmentation after a fresh start', async () => {
    const { sidecar, state, parts } = await open();
    sidecar.tell('segmentation', { session: id, version: 1 });
    const repainted: unknown[] = [];
    state.repaint.connect((_, change) => repainted.push(change));
    await state.fresh();
    expect(parts.segmentation.version).toBe(0);
    expect(repainted).toContainEqual({ overlay: 'segmentation', keys: null });
    state.dispose();
  });

  it('shows the session’s new image, and keeps labels of the same shape', async () => {
    const labeller = await open();
    const { sidecar, state, parts } = labeller;
    const asked = () => sidecar.methods.filter(method => method === 'sam.embedding').length;
    stroke(state, 1, 100, 240);
    await state.drained();
    sidecar.tell('session', sidecar.session);
    expect(state.parts).toBe(parts);
    sidecar.digest = 'c'.repeat(64);
    sidecar.tell('session', sidecar.session);
    const now = state.parts!;
    expect([parts.tiles, parts.segmentation, parts.suggestions, parts.embedding].every(one => one.isDisposed)).toBe(
      true
    );
    expect([now.tiles, now.segmentation, now.suggestions, now.embedding].some(one => one.isDisposed)).toBe(false);
    expect(statusText(state).text).toContain('The session now shows another image.');
    await until(() => now.embedding.state.state === 'ready');
    expect(asked()).toBe(2);
    expect(now.suggestions.ready).toBe(true);
    expect(same(labeller)).toBe(true);
    stroke(state, 2, 300, 240);
    await state.drained();
    expect(same(labeller)).toBe(true);
    expect(statusText(state).text).toBe(READY);
    state.dispose();
  });

  it('drops labels of another shape with the image', async () => {
    const { sidecar, state, parts } = await open();
    stroke(state, 1, 100, 240);
    await state.drained();
    sidecar.labels.fill(0);
    const session = { ...sidecar.session, image: { ...sidecar.session.image, digest: 'c'.repeat(64) } };
    sidecar.tell('session', { ...session, image: { ...session.image, shape: [1, 700, 600, 1] } });
    expect(parts.labels.isDisposed).toBe(true);
    expect(state.parts!.image).toEqual({ rows: 700, columns: 600 });
    await settle();
    expect(state.parts!.labels.slice(0).at(100, 245)).toBe(0);
    state.dispose();
  });

  it('takes only classes that exist', async () => {
    const { state } = await open();
    expect(state.currentClass?.name).toBe('matrix');
    state.setClass(2);
    expect(state.currentClass?.name).toBe('pore');
    state.setClass(9);
    expect(state.currentClass?.name).toBe('pore');
    state.dispose();
  });

  it('shows live tiles at once with newer labels on top, and fetches none of them again', async () => {
    const { sidecar, state, parts } = await open();
    state.live.show({}, 0, { row0: 0, row1: 200, column0: 0, column1: 200 });
    await state.setLive(true);
    expect(state.live.on).toBe(true);
    expect(sidecar.views).toEqual([{ slice: 0, row0: 0, row1: 200, column0: 0, column1: 200 }]);
    const bring = (round: number, classId: number, labelsVersion: number) =>
      sidecar.tell(
        'segmentation.tiles',
        { session: id, round, labelsVersion, slice: 0, tiles: [{ row: 0, column: 0 }] },
        [deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId))]
      );
    const repainted: unknown[] = [];
    state.repaint.connect((_, change) => repainted.push(change));
    bring(1, 1, 0);
    expect(repainted).toEqual([{ overlay: 'segmentation', keys: ['0/0/0'] }]);
    expect(parts.segmentation.at(0, 100, 105)).toBe(1);
    stroke(state, 2, 100, 100);
    bring(1, 1, 0); // does not know of the stroke
    expect(parts.segmentation.at(0, 100, 105)).toBe(2);
    await state.drained();
    bring(2, 1, 1);
    const asked = () => sidecar.methods.filter(method => method === 'overlay.tiles').length;
    const before = asked();
    sidecar.tell('segmentation', { session: id, version: 1, round: 2 });
    parts.segmentation.want(0, [{ row: 0, column: 0 }]);
    await settle();
    expect(asked()).toBe(before);
    const [times] = state.times.all;
    expect(times!.version).toBe(1);
    expect(times!.firstTiles).toBeGreaterThanOrEqual(times!.acknowledged!);
    state.dispose();
  });

  it('counts live rounds from 1 after switching, and drops the tiles of a round that ended early', async () => {
    const { sidecar, state, parts } = await open();
    const bring = (round: number, classId: number) =>
      sidecar.tell(
        'segmentation.tiles',
        { session: id, round, labelsVersion: 0, slice: 0, tiles: [{ row: 0, column: 0 }] },
        [deflateRawSync(new Uint8Array(LABEL_TILE ** 2).fill(classId))]
      );
    await state.setLive(true);
    bring(9, 1);
    await state.setLive(false);
    await state.setLive(true);
    bring(1, 2);
    expect(parts.segmentation.at(0, 5, 5)).toBe(2);
    await until(() => !parts.segmentation.ahead);
    expect(parts.segmentation.at(0, 5, 5)).toBe(0);
    state.dispose();
  });

  it('says that live segmentation is off after a restart of the sidecar, and follows the session’s switch', async () => {
    const { sidecar, state } = await open();
    await state.setLive(true);
    sidecar.live = false;
    sidecar.tell('relay', { state: 'lost', message: 'gone' });
    sidecar.tell('relay', { state: 'connected', message: '' });
    await settle();
    expect(state.live.on).toBe(false);
    expect(statusText(state).text).toContain('Live segmentation is off because the sidecar restarted.');
    sidecar.live = true;
    sidecar.tell('session', sidecar.session);
    expect(state.live.on).toBe(true);
    state.dispose();
  });
});
