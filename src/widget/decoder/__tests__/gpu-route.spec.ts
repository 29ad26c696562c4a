/** The browser's GPU beside the page's worker, in one decoder: both are workers that the test answers for. */
import { BridgeError } from '../../../shared/errors';
import type { IAdapterInfo } from '../../../shared/gpu-adapters';
import { DEFAULT_MODEL } from '../../../shared/models';
import { ICandidates, IPrompts, PromptGrid } from '../../../sam';
import { SuggestionDecoder } from '../decoder';
import { ToDecoderWorker } from '../decoder-messages';
import { RouteChoice } from '../route-choice';
import { FakeWorker } from './fake-worker';

jest.mock('../decoder-worker-factory', () => ({ createDecoderWorker: jest.fn() }));
jest.mock('../gpu-worker-factory', () => ({ createGpuWorker: jest.fn() }));

const CARD: IAdapterInfo = {
  vendor: 'acme',
  architecture: 'gen-9',
  device: '',
  description: '',
  isFallbackAdapter: false
};
const SOFTWARE: IAdapterInfo = { ...CARD, vendor: 'google', architecture: 'swiftshader' };
const SIZE = { rows: 64, columns: 64 };
const at = (column: number): IPrompts => ({ points: [{ row: 0, column, label: 1 }] });
const rest = (milliseconds = 0) => new Promise(resolve => setTimeout(resolve, milliseconds));

/** Gives a silent route up soon, and asks it again at once. */
class Impatient extends RouteChoice {
  override limit(): number {
    return 30;
  }

  override failed(): void {}
}

/** Answers with a mask of a size. */
class MaskWorker extends FakeWorker {
  constructor(private readonly _inside: number) {
    super();
    this.atOnce = ['load', 'embedding', 'suggest'];
  }

  /** Prompts fail with it. */
  failure: string | null = null;
  /** Prompts are never answered. */
  isSilent = false;

  override answer(message: ToDecoderWorker): void {
    if (message.kind !== 'suggest') {
      super.answer(message);
    } else if (this.failure !== null) {
      this.post({ kind: 'error', id: message.id, message: this.failure });
    } else if (!this.isSilent) {
      const mask = () => new Float32Array(100).fill(1, 0, this._inside).fill(-1, this._inside);
      const candidates: ICandidates = {
        lowRes: [mask(), mask(), mask()],
        scores: [0.9, 0.8, 0.7],
        single: { lowRes: mask(), score: 0.9 }
      };
      this.post({ kind: 'done', id: message.id, candidates });
    }
  }
}

describe('SuggestionDecoder with a GPU in the browser', () => {
  let pages: MaskWorker[];
  let gpus: MaskWorker[];
  let inside: number;
  let adapter: IAdapterInfo | null;
  let decoder: SuggestionDecoder;
  const gpu = () => gpus[gpus.length - 1]!;
  const problem = () => decoder.routes.problems.gpu;

  const open = async (options: SuggestionDecoder.IOptions = {}) => {
    decoder = new SuggestionDecoder({
      createWorker: () => (pages.push(new MaskWorker(50)), pages[pages.length - 1]!),
      createGpuWorker: () => (gpus.push(new MaskWorker(inside)), gpu()),
      findAdapter: () => Promise.resolve(adapter),
      restMs: 10,
      ...options
    });
    await decoder.load(Uint8Array.of(1), DEFAULT_MODEL);
    decoder.setEmbedding('a', new Uint8Array(4), SIZE);
    await decoder.suggest(at(1));
    await rest(60);
  };

  beforeEach(() => {
    [pages, gpus, inside, adapter] = [[], [], 50, CARD];
  });
  afterEach(() => {
    jest.restoreAllMocks();
    decoder.dispose();
  });

  it('compares prompts of four kinds with the page, and takes the GPU', async () => {
    await open({ route: 'gpu' });
    expect(
      gpu()
        .suggests.slice(0, 4)
        .map(({ prompts }) => [prompts.points.length, prompts.box !== undefined])
    ).toEqual([
      [1, false],
      [2, false],
      [0, true],
      [3, false]
    ]);
    expect(gpu().suggests[3]!.prompts.mask).toHaveLength(100); // an answer to the first one
    expect(problem()).toBeNull();
    const before = pages[0]!.suggests.length;
    await decoder.suggest(at(7));
    expect(gpu().suggests.some(({ prompts }) => prompts.points[0]?.column === 7)).toBe(true);
    expect(pages[0]!.suggests).toHaveLength(before);
    expect(decoder.routes.serving).toBe('gpu');
  });

  it('tries it beside the page by itself where the browser has a real GPU', async () => {
    await open();
    expect(gpu().suggests.length).toBeGreaterThan(3); // points ahead
    expect(decoder.routes.medians.gpu).not.toBeNull();
  });

  it('shows no mask of a GPU that computes wrongly, and tells so', async () => {
    inside = 40;
    await open({ route: 'gpu' });
    expect(gpu().terminated).toBe(true);
    expect(problem()).toBe('One of its masks has an overlap (IoU) of 0.80 with that of WebAssembly (acme gen-9).');
    expect(decoder.routes.serving).toBe('page');
    const { lowRes } = await decoder.suggest(at(7));
    expect(lowRes[0]!.filter(logit => logit > 0)).toHaveLength(50);
    await rest(40);
    expect(gpus).toHaveLength(1);
  });

  it('starts nothing without a GPU or with one of software, and tells so if the GPU is wanted', async () => {
    adapter = SOFTWARE;
    await open();
    expect([gpus.length, problem()]).toEqual([0, null]);
    decoder.dispose();
    adapter = null;
    await open();
    expect([gpus.length, problem()]).toEqual([0, null]);
    decoder.dispose();
    await open({ route: 'gpu' });
    expect([gpus.length, problem()]).toEqual([0, 'The browser offers no GPU (WebGPU).']);
    await expect(decoder.suggest(at(2))).resolves.toBeDefined();
    decoder.dispose();
    adapter = SOFTWARE;
    await open({ route: 'gpu' });
    expect([gpus.length, decoder.routes.serving]).toEqual([1, 'gpu']);
  });

  it('starts nothing where the page alone shall decode', async () => {
    await open({ route: 'page' });
    expect(gpus).toHaveLength(0);
  });

  it('answers by the page when the device is lost, compares again, and gives up the third time in a row', async () => {
    jest.spyOn(PromptGrid.prototype, 'next').mockReturnValue(null); // after 20 answers it counts anew
    await open({ route: 'gpu' });
    for (let lost = 1; lost <= 3; lost++) {
      expect(gpus).toHaveLength(lost);
      expect(decoder.routes.serving).toBe('gpu');
      gpu().failure = 'the device is lost';
      await expect(decoder.suggest(at(1 + lost))).resolves.toBeDefined();
      expect(gpu().terminated).toBe(true);
      expect(problem()).toContain('the device is lost');
      await rest(60);
    }
    expect(gpus).toHaveLength(3);
    await expect(decoder.suggest(at(9))).resolves.toBeDefined();
  });

  it('answers by the page when the worker dies', async () => {
    await open({ route: 'gpu' });
    gpu().isSilent = true;
    const found = decoder.suggest(at(5));
    await rest();
    gpu().die('out of memory');
    await expect(found).resolves.toBeDefined();
    expect(problem()).toContain('out of memory');
    await rest(60);
    expect(gpus).toHaveLength(2);
    gpu().die('out of memory'); // while nothing is asked for
    expect(problem()).toContain('out of memory');
    expect(decoder.routes.serving).toBe('page');
    await expect(decoder.suggest(at(6))).resolves.toBeDefined();
    await rest(60);
    expect(gpus).toHaveLength(3);
    expect(
      gpu()
        .suggests.slice(0, 4)
        .map(({ prompts }) => prompts.points.length)
    ).toEqual([1, 2, 0, 3]);
  });

  it('shows no mask of a worker that was not compared, though all others fail', async () => {
    await open();
    inside = 40; // the next worker computes wrongly
    pages[0]!.isSilent = true;
    const found = decoder.suggest(at(5));
    await rest();
    gpu().die('out of memory');
    pages[0]!.die('out of memory');
    await expect(found).rejects.toMatchObject({ code: 'compute' });
    expect(gpus).toHaveLength(1);
  });

  it('answers what waits by the GPU when the worker of the page dies', async () => {
    await open({ route: 'gpu' });
    pages[0]!.die('out of memory');
    const clicked = decoder.suggest(at(5), undefined, true);
    const hovered = decoder.suggest(at(6));
    pages.at(-1)!.die('out of memory');
    await expect(Promise.all([clicked, hovered])).resolves.toHaveLength(2);
  });

  it('goes on by the page while the GPU takes no embedding', async () => {
    await open({ route: 'gpu' });
    gpu().atOnce = [];
    decoder.setEmbedding('b', new Uint8Array(4), SIZE);
    await rest(20);
    const found = decoder.suggest(at(3));
    await rest();
    gpu().die('the driver hangs');
    await expect(found).resolves.toBeDefined();
  });

  it('is not blamed for a page that dies during the comparison, and is compared later', async () => {
    decoder = new SuggestionDecoder({
      createWorker: () => (pages.push(new MaskWorker(50)), pages[pages.length - 1]!),
      createGpuWorker: () => (gpus.push(new MaskWorker(50)), gpu()),
      findAdapter: () => {
        pages[0]!.isSilent = true;
        return Promise.resolve(CARD);
      },
      restMs: 10,
      route: 'gpu'
    });
    await decoder.load(Uint8Array.of(1), DEFAULT_MODEL);
    decoder.setEmbedding('a', new Uint8Array(4), SIZE);
    await decoder.suggest(at(1));
    await rest(30);
    expect(gpus).toHaveLength(1);
    pages[0]!.die('out of memory');
    await rest(20);
    await decoder.suggest(at(2));
    await rest(80);
    expect(gpus).toHaveLength(2);
    expect(problem()).toBeNull();
    expect(decoder.routes.serving).toBe('gpu');
  });

  it('forgives one late answer, and starts anew after two', async () => {
    await open({ choice: new Impatient({ forced: 'gpu' }), route: 'gpu' });
    gpu().isSilent = true;
    await expect(decoder.suggest(at(5))).resolves.toBeDefined(); // by the page
    expect(gpu().terminated).toBe(false);
    await rest(60);
    await expect(decoder.suggest(at(6))).resolves.toBeDefined();
    expect(gpu().terminated).toBe(true);
  });

  it('has times though the grid of points is complete before it may decode', async () => {
    jest.spyOn(PromptGrid.prototype, 'next').mockReturnValue(null);
    await open();
    for (let i = 0; i < 4; i++) {
      await decoder.suggest(at(i));
    }
    await rest(100);
    expect(decoder.routes.medians.gpu).not.toBeNull();
  });

  it('ends the worker with the labeller, also during the comparison', async () => {
    decoder = new SuggestionDecoder({
      createWorker: () => new MaskWorker(50),
      createGpuWorker: () => {
        gpus.push(new MaskWorker(50));
        gpu().isSilent = true;
        return gpu();
      },
      findAdapter: () => Promise.resolve(CARD),
      restMs: 5
    });
    await decoder.load(Uint8Array.of(1), DEFAULT_MODEL);
    decoder.setEmbedding('a', new Uint8Array(4), SIZE);
    await decoder.suggest(at(1));
    await rest(30);
    expect(gpu().suggests).toHaveLength(1);
    decoder.dispose();
    expect(gpu().terminated).toBe(true);
    await expect(decoder.suggest(at(2))).rejects.toBeInstanceOf(BridgeError);
  });
});
