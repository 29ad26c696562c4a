/** Models that the user brings: small ones of random weights that keep to the manifests' contracts. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  embeddingLength,
  findPromptModel,
  IPromptModel,
  PROMPT_MODELS,
  promptLength
} from '../../../../src/shared/models';
import { upscaleMask } from '../../../../src/sam';
import { TestClient } from '../../__tests__/support/client';
import { bytesOf, openSession } from '../../__tests__/support/images';
import {
  buildDecoder,
  bundleSamProcess,
  discImage,
  intersectionOverUnion,
  makeContext,
  makeFolder
} from '../../__tests__/support/sam-fixture';
import { EngineService } from '../../__tests__/support/small-engine';
import { DISC_RADII, randomDecoder, randomEncoder, writeRandomModel } from '../../__tests__/support/random-model';
import { checkContract } from '../model-contract';
import { sha256 } from '../model-files';
import { findModelFolder, huggingFaceCache, IOpenedModel, openModel } from '../model-search';
import { PromptModels } from '../prompt-models';
import { SamService } from '../service';
import { Sidecar } from '../../sidecar';

const folder = makeFolder();
const process_ = bundleSamProcess(folder.path);
const disc = discImage(folder.path);
const display = { low: 0, high: 65535 };
const services: SamService[] = [];
const model = (id: string) => findPromptModel(id)!;

afterAll(async () => {
  await Promise.all(services.map(service => service.dispose()));
  folder.remove();
});

async function open(id: string): Promise<SamService> {
  const env = { SAMBALAB_MODELS: join(folder.path, 'models'), SAMBALAB_PROVIDER: 'cpu' };
  const opened = await openModel(await findModelFolder(id, env));
  const service = new SamService({ model: opened, processPath: process_, env });
  services.push(service);
  return service;
}

const mean = (values: Float32Array) => values.reduce((sum, each) => sum + each, 0) / values.length;

describe('A model of random weights with the contract of', () => {
  const layouts = { 'micro-sam-vit-b-em': 'HWC' } as const;
  const embeddings = new Map<string, Float32Array>();

  it.each(['sam-vit-b', 'micro-sam-vit-b-em', 'hq-sam-vit-b', 'efficient-sam-ti', 'sam2.1-tiny'])(
    '%s encodes, and decodes a point, its mask and a second point',
    async id => {
      const manifest = model(id);
      writeRandomModel(join(folder.path, 'models'), manifest, layouts[id as keyof typeof layouts]);
      const service = await open(id);
      const { embedding, device } = await service.embed(disc.image, display, 1, makeContext());
      expect(device).toMatchObject({ model: id, provider: 'cpu' });
      expect(embedding).toHaveLength(promptLength(manifest));
      embeddings.set(id, embedding);

      const { size } = disc;
      const at = { row: 170, column: 40, label: 1 as const };
      const found = await service.decode(embedding, size, { points: [at] }, makeContext());
      // The smallest disc is where the point is, in pixels of the image.
      const squash = manifest.encoder.resize === 'squash';
      const down = size.rows / (squash ? 1024 : 768);
      const across = size.columns / 1024;
      const radius = DISC_RADII[1]!;
      const truth = Uint8Array.from({ length: size.rows * size.columns }, (_, i) => {
        const [y, x] = [Math.floor(i / size.columns) - at.row, (i % size.columns) - at.column];
        return Math.hypot(y / down, x / across) < radius ? 1 : 0;
      });
      const mask = upscaleMask(found.lowRes[0]!, size, manifest);
      const differing = mask.filter((inside, i) => inside !== truth[i]).length;
      expect(differing / truth.filter(Boolean).length).toBeLessThan(0.03);
      expect(found.single === null).toBe(manifest.decoder.single === null);

      // Scores tell of the embedding and of each further feature.
      let begin = embeddingLength(manifest);
      let score = mean(embedding.subarray(0, begin));
      manifest.decoder.features?.forEach(({ shape }, i) => {
        const end = begin + shape.reduce((product, side) => product * side, 1);
        score += 10 ** (i + 1) * mean(embedding.subarray(begin, end));
        begin = end;
      });
      expect(begin).toBe(embedding.length);
      expect(Math.abs(score)).toBeGreaterThan(1e-4);
      found.scores.forEach(each => expect(each / score).toBeCloseTo(1, 2));

      // A mask that is fed back is added; a model without that input decodes the points alone.
      const refined = await service.decode(embedding, size, { points: [at], mask: found.lowRes[0]! }, makeContext());
      const twice = manifest.decoder.inputs.mask === undefined ? 1 : 2;
      expect(refined.lowRes[0]![0]).toBeCloseTo(twice * found.lowRes[0]![0]!, -2);

      const negative = service.decode(embedding, size, { points: [at, { ...at, label: 0 }] }, makeContext());
      if (manifest.decoder.negative === false) {
        await expect(negative).rejects.toThrow(`${manifest.title} takes no points outside of the object`);
      } else {
        expect((await negative).lowRes[0]![0]).toBeCloseTo(found.lowRes[0]![0]!, -2);
      }
    },
    30_000
  );

  it('an encoder that normalises values of 0–255 itself gives what one gives that takes them normalised', () => {
    const [outer, inner] = [embeddings.get('sam-vit-b')!, embeddings.get('micro-sam-vit-b-em')!];
    const difference = outer.reduce((worst, each, i) => Math.max(worst, Math.abs(each - inner[i]!)), 0);
    expect(difference).toBeLessThan(1e-3);
  });
});

describe('Every manifest', () => {
  it.each(PROMPT_MODELS.slice(1).map(each => [each.id, each] as const))(
    '%s takes the files of its contract',
    async (id, manifest) => {
      const path = writeRandomModel(join(folder.path, 'all'), manifest);
      await expect(checkContract(manifest, 'encoder', join(path, 'encoder.onnx'))).resolves.toMatchObject({
        layout: 'NCHW'
      });
      await expect(checkContract(manifest, 'decoder', join(path, 'decoder.onnx'))).resolves.toMatchObject({
        weights: []
      });
      expect(id).not.toMatch(/[\\/]/);
    }
  );
});

describe('Names the file, what is wrong with it, and what would do, for', () => {
  const path = join(folder.path, 'broken.onnx');
  const sam = model('sam-vit-b');
  const refusal = async (
    bytes: Uint8Array | string,
    part: 'encoder' | 'decoder' = 'decoder',
    manifest: IPromptModel = sam
  ) => {
    writeFileSync(path, bytes);
    const error: Error = await checkContract(manifest, part, path).then(
      () => new Error('it was taken'),
      error => error as Error
    );
    expect(error).toMatchObject({ code: 'model' });
    expect(error.message).toContain(`The file ${path} is not the ${part} of ${manifest.title}: `);
    expect(error.message).toContain(manifest.contract);
    return error.message;
  };

  it('a file that is cut short anywhere', async () => {
    const whole = randomDecoder(sam);
    for (const part of [0.1, 0.5, 0.9, 0.9999]) {
      expect(await refusal(whole.subarray(0, Math.floor(part * whole.length)))).toContain('it is cut short');
    }
  });

  it('a file of other tensor names', async () => {
    expect(await refusal(randomDecoder(sam, { names: { point_coords: 'points' } }))).toContain(
      'it has no input point_coords; its inputs are image_embeddings, points, point_labels'
    );
    expect(await refusal(randomDecoder(sam, { names: { iou_predictions: 'quality' } }))).toContain(
      'it has no output iou_predictions; its outputs are low_res_masks, quality'
    );
  });

  it('the file of another model, or the other one of the two', async () => {
    expect(await refusal(randomDecoder(model('hq-sam-vit-b')))).toContain('interm_embeddings');
    expect(await refusal(randomEncoder(model('hq-sam-vit-b')), 'encoder', model('hq-sam-vit-l'))).toContain(
      'its output interm_embeddings is [4, 1, 64, 64, 768]; [4, 1, 64, 64, 1024] will do'
    );
    expect(await refusal(randomDecoder(sam), 'encoder')).toContain('it has no input input_image');
  });

  it('a decoder of a fixed number of points, or of fewer masks', async () => {
    expect(await refusal(randomDecoder(sam, { points: 5 }))).toContain('dynamic number of points');
    expect(await refusal(randomDecoder(sam, { masks: 1 }))).toContain('without --return-single-mask');
  });

  it('a file that is no ONNX model', async () => {
    expect(await refusal('')).toContain('it is empty');
    expect(await refusal('<!DOCTYPE html><title>404</title>')).toContain('a web page');
    expect(await refusal('version https://git-lfs.github.com/spec/v1\noid sha256:0\n')).toContain('git lfs pull');
    expect(await refusal('PK\x03\x04checkpoint')).toContain('export it to ONNX');
    expect(await refusal('no model at all')).toContain('not that of an ONNX model');
    expect(await refusal(readFileSync(disc.image.path))).toContain('ONNX');
  });
});

describe('A session', () => {
  const models = join(folder.path, 'chosen');
  const env = { ...process.env, SAMBALAB_MODELS: models, SAMBALAB_PROVIDER: 'cpu', HF_HUB_CACHE: models };
  const id = 'sam2.1-small';
  const decoder = join(models, id, 'decoder.onnx');
  const points = [{ row: 100, column: 330, label: 1 as const }];
  let sidecar: Sidecar;
  let client: TestClient;

  beforeAll(async () => {
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const create = (opened?: IOpenedModel) => {
      const decoderPath = join(folder.path, 'decoder.onnx');
      return new SamService({ ...(opened && { model: opened }), processPath: process_, decoderPath, env });
    };
    buildDecoder(folder.path);
    const builtIn = create();
    const [runtimeDir, dataDir, arraysDir] = ['run', 'data', 'arrays'].map(name => join(folder.path, name)) as [
      string,
      string,
      string
    ];
    sidecar = await Sidecar.start(
      { runtimeDir, dataDir, arraysDir, idleTimeout: 600, transport: 'tcp' },
      { engine: new EngineService(), sam: builtIn, models: new PromptModels({ builtIn, env, create }) }
    );
    client = await TestClient.connect(runtimeDir);
  });

  afterAll(async () => {
    client.close();
    await sidecar.stop('the test is over', 'all');
  });

  it('keeps MobileSAM where the model that was chosen is broken, and takes the model once it is mended', async () => {
    const { session } = await openSession(client);
    const best = async () => {
      const { array } = await client.request('sam.suggest', { session, slice: 0, points });
      const masks = bytesOf(array);
      const truth = Uint8Array.from({ length: 300 * 400 }, (_, i) => (i % 400 >= 200 ? 1 : 0));
      return Math.max(
        ...[0, 1, 2].map(k => intersectionOverUnion(masks.subarray(k * truth.length, (k + 1) * truth.length), truth))
      );
    };
    const before = await best();
    expect(before).toBeGreaterThan(0.9);
    const choose = () => client.request('sam.choose', { session, model: id });
    await expect(choose()).rejects.toMatchObject({ code: 'model', message: expect.stringContaining(join(models, id)) });
    writeRandomModel(models, model(id));
    const whole = readFileSync(decoder);
    for (const [bytes, why] of [
      [whole.subarray(0, whole.length - 100), 'it is cut short'],
      [randomDecoder(model(id), { names: { image_embed: 'embedding' } }), 'it has no input image_embed'],
      ['no model', 'not that of an ONNX model']
    ] as const) {
      writeFileSync(decoder, bytes);
      await expect(choose()).rejects.toMatchObject({
        code: 'model',
        message: expect.stringMatching(new RegExp(`The file ${decoder} is not the decoder of SAM 2.1 small: .*${why}`))
      });
      const { models: listed } = await client.request('sam.models', {});
      expect(listed.find(each => each.id === id)).toMatchObject({ state: 'broken', place: 'SAMBALAB_MODELS' });
      expect((await client.request('session.attach', { session })).samModel).toBeUndefined();
      expect(await best()).toBe(before);
    }
    writeFileSync(decoder, whole);
    const chosen = await choose();
    expect(chosen.samModel).toBe(id);
    expect(chosen.arrays['embedding']).toBeUndefined();
    expect(await best()).toBeLessThan(0.9); // a disc
    const { array, device } = await client.request('sam.embed', { session, slice: 0 });
    expect([array.shape, device.model]).toEqual([[1, 256, 64, 64], id]);
    const { manifest } = await client.request('sam.decoder', { session });
    expect(manifest).toMatchObject({ id, decoder: { features: model(id).decoder.features } });
    const { shape, buffers } = await client.request('sam.embedding', { session, slice: 0 });
    expect([shape, buffers[0]!.length]).toEqual([[256, 64, 64], 2 * promptLength(manifest)]);
    // Back to the model that is built in: what it gave before.
    const again = await client.request('sam.choose', { session, model: 'mobile-sam' });
    expect(again.samModel).toBeUndefined();
    expect(await best()).toBe(before);
  }, 60_000);
});

describe('A model is looked for', () => {
  const root = join(folder.path, 'search');
  const cache = join(root, 'cache');
  const env = {
    SAMBALAB_MODELS: [join(root, 'none'), join(root, 'own')].join(':'),
    SAMBALAB_JUPYTER_PATH: join(root, 'jupyter'),
    HF_HUB_CACHE: cache
  };
  const id = 'sam-vit-b';

  it('by a path, in SAMBALAB_MODELS, in the data directories of Jupyter, and in the cache of Hugging Face, in this order', async () => {
    await expect(findModelFolder(id, env)).rejects.toThrow(
      new RegExp(`The files of SAM ViT-B are not here.*${join(root, 'own', id)}.*sambalab models add ${id}`)
    );
    const snapshot = join(cache, `models--someone--${id}`, 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(cache, `models--someone--${id}`, 'refs'));
    writeFileSync(join(cache, `models--someone--${id}`, 'refs', 'main'), 'abc');
    await expect(findModelFolder(id, env)).resolves.toMatchObject({ folder: snapshot, place: 'hugging-face' });
    for (const [place, path] of [
      ['jupyter', join(root, 'jupyter/sambalab/models', id)],
      ['SAMBALAB_MODELS', join(root, 'own', id)],
      ['SAMBALAB_MODELS', join(root, 'none', id)]
    ] as const) {
      mkdirSync(path, { recursive: true });
      await expect(findModelFolder(id, env)).resolves.toMatchObject({ folder: path, place });
    }
    const mine = join(root, 'mine');
    mkdirSync(mine);
    await expect(findModelFolder(mine, env)).rejects.toThrow('does not say which model it has');
    writeFileSync(join(mine, 'model.json'), JSON.stringify({ format: 1, model: id }));
    await expect(findModelFolder(mine, env)).resolves.toMatchObject({ folder: mine, place: 'path', manifest: { id } });
    await expect(findModelFolder('sam-vit-x', env)).rejects.toThrow(
      'There is no model sam-vit-x; mobile-sam, sam-vit-b,'
    );
    expect(huggingFaceCache({ HF_HOME: '/h' })).toBe('/h/hub');
  });

  it('and a folder that has other files is passed over, unless its path was given', async () => {
    const [first, second] = [join(root, 'none', id), writeRandomModel(join(root, 'own'), model(id))];
    mkdirSync(first, { recursive: true });
    const models = new PromptModels({ builtIn: new SamService({ env }), env });
    const why = `The file ${join(first, 'decoder.onnx')} is not the decoder of SAM ViT-B: it is cut short`;
    copyFileSync(join(second, 'encoder.onnx'), join(first, 'encoder.onnx'));
    writeFileSync(join(first, 'decoder.onnx'), readFileSync(join(second, 'decoder.onnx')).subarray(0, 1000));
    const service = await models.open(id);
    expect(service.problem).toContain(why);
    expect(service.problem).toContain(`${second} is used instead.`);
    expect(service.encoder.digest).toBe(await sha256(join(second, 'encoder.onnx')));
    const listed = (await models.list()).find(each => each.id === id);
    expect(listed).toMatchObject({ state: 'ready', folder: second, problem: expect.stringContaining(why) });
    await expect(models.open(first)).rejects.toThrow(why);
    writeFileSync(join(second, 'decoder.onnx'), 'no model');
    await expect(models.open(id, true)).rejects.toThrow(new RegExp(`${why}.*${join(second, 'decoder.onnx')}`));
  });

  it('and refused if its recorded SHA-256 is another', async () => {
    const path = writeRandomModel(join(root, 'own'), model(id));
    const found = { manifest: model(id), folder: path, place: 'path' as const };
    const { encoder, decoder, checked } = await openModel({ ...found, recorded: null });
    expect([checked, encoder.layout]).toEqual(['contract', 'NCHW']);
    const { bytes, sha256 } = encoder.file;
    const recorded = { format: 1 as const, model: id, encoder: { bytes, sha256 }, decoder: decoder.file };
    await expect(openModel({ ...found, recorded })).resolves.toMatchObject({ checked: 'sha256' });
    const other = { ...recorded, decoder: { bytes, sha256: '0'.repeat(64) } };
    await expect(openModel({ ...found, recorded: other })).rejects.toThrow(
      new RegExp(
        `${join(path, 'decoder.onnx')} is not the one that was added: its SHA-256 is ${decoder.file.sha256}, 000`
      )
    );
  });
});
