/** A notebook in the running JupyterLab, driven through the application itself. */
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';

interface IOutput {
  output_type: string;
  text?: string | string[];
  ename?: string;
  evalue?: string;
  traceback?: string[];
  data?: Record<string, unknown>;
}

/** The part of a comm that tests use. */
interface IComm {
  readonly subshellStarted: Promise<void>;
  onMsg: (message: { buffers: ArrayBuffer[] }) => void;
  open(data: object): void;
  send(data: object, metadata: undefined, buffers: Uint8Array[]): void;
  close(data: object): void;
}

/** The part of the current notebook panel that tests use. */
interface IPanel {
  content: { activeCellIndex: number; widgets: { model: { sharedModel: { setSource(text: string): void } } }[] };
  sessionContext: {
    restartKernel(): Promise<void>;
    session: {
      kernel: {
        restart(): Promise<void>;
        id: string;
        info: Promise<unknown>;
        status: string;
        supportsSubshells: boolean;
        createComm(target: string): IComm;
      };
    };
  };
  model: { cells: { length: number; get(i: number): { outputs: { toJSON(): IOutput[] } } } };
}

interface IApp {
  shell: { currentWidget: IPanel };
  commands: { execute(id: string, args?: object): Promise<unknown> };
}

/** The page's window, on which the test server exposes the application. */
type Exposed = { jupyterapp: IApp; runs?: Record<number, Promise<unknown>>; over?: Set<number> };

/** One notebook of a test. */
export class TestNotebook {
  private constructor(private readonly page: IJupyterLabPageFixture) {}

  /** Write a notebook of these code cells, open it and wait for its kernel. */
  static async open(page: IJupyterLabPageFixture, path: string, cells: string[], kernel = 'python3') {
    const notebook = {
      cells: cells.map((source, i) => ({
        cell_type: 'code',
        id: `cell-${i}`,
        metadata: {},
        source,
        outputs: [],
        execution_count: null
      })),
      metadata: { kernelspec: { name: kernel, display_name: kernel, language: 'python' } },
      nbformat: 4,
      nbformat_minor: 5
    };
    await page.contents.uploadContent(JSON.stringify(notebook), 'text', path);
    await page.notebook.openByPath(path);
    await page.notebook.activate(path.slice(path.lastIndexOf('/') + 1));
    const opened = new TestNotebook(page);
    await opened.kernelReady();
    return opened;
  }

  /** The notebook that the page shows, for instance after a reload. */
  static async current(page: IJupyterLabPageFixture) {
    const current = new TestNotebook(page);
    await current.kernelReady();
    return current;
  }

  /** Reload the page; the kernel lives on. */
  async reload(): Promise<void> {
    // Not page.reload(): Galata would wait for a launcher, but the notebook is restored.
    await Promise.all([this.page.waitForEvent('load'), this.page.evaluate(() => location.reload())]);
    await this.kernelReady();
  }

  async kernelReady(): Promise<void> {
    await this.page.waitForFunction(
      () =>
        ['idle', 'busy'].includes(
          (window as unknown as Partial<Exposed>).jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel
            ?.status ?? ''
        ),
      undefined,
      { timeout: 60_000 }
    );
  }

  /** Run a cell, wait for its end and return its printed text. Throws an Error if the cell raised one. */
  async run(index: number): Promise<string> {
    await this.start(index);
    return this.finished(index);
  }

  /** Run a cell without waiting for it. */
  async start(index: number): Promise<void> {
    await this.page.evaluate(i => {
      const app = (window as unknown as Exposed).jupyterapp;
      app.shell.currentWidget.content.activeCellIndex = i;
      const runs = ((window as unknown as Exposed).runs ??= {});
      const over = ((window as unknown as Exposed).over ??= new Set());
      over.delete(i);
      runs[i] = app.commands.execute('notebook:run-cell').finally(() => over.add(i));
    }, index);
  }

  /** Wait for a started cell and return its printed text. Throws an Error if the cell raised one. */
  async finished(index: number): Promise<string> {
    await this.page.evaluate(i => (window as unknown as Exposed).runs![i], index);
    const outputs = await this.outputs(index);
    const error = outputs.find(output => output.output_type === 'error');
    if (error) {
      throw new Error(`${error.ename}: ${error.evalue}\n${error.traceback?.join('\n')}`);
    }
    return textOf(outputs);
  }

  /** A cell's outputs, as the notebook stores them. */
  async outputs(index: number): Promise<IOutput[]> {
    return this.page.evaluate(
      i => (window as unknown as Exposed).jupyterapp.shell.currentWidget.model.cells.get(i).outputs.toJSON(),
      index
    );
  }

  async cellCount(): Promise<number> {
    return this.page.evaluate(() => (window as unknown as Exposed).jupyterapp.shell.currentWidget.model.cells.length);
  }

  /** Replace a cell's source and run it. */
  async execute(index: number, source: string): Promise<string> {
    await this.page.evaluate(
      ([i, text]) =>
        (window as unknown as Exposed).jupyterapp.shell.currentWidget.content.widgets[
          i as number
        ]!.model.sharedModel.setSource(text as string),
      [index, source]
    );
    return this.run(index);
  }

  /** Whether a started cell is still running. */
  async isRunning(index: number): Promise<boolean> {
    return this.page.evaluate(i => !(window as unknown as Exposed).over!.has(i), index);
  }

  /** Interrupt the kernel through the server: Galata's kernel watcher cannot read the empty reply. */
  async interrupt(): Promise<void> {
    const id = await this.page.evaluate(
      () => (window as unknown as Exposed).jupyterapp.shell.currentWidget.sessionContext.session.kernel.id
    );
    await this.page.request.post(`/api/kernels/${id}/interrupt`);
  }

  /** Milliseconds that 1 kB takes to the sidecar and back over a live comm of its own, for each of `n` pings, sorted. */
  async roundTrips(n: number): Promise<number[]> {
    return this.page.evaluate(async count => {
      const { kernel } = (window as unknown as Exposed).jupyterapp.shell.currentWidget.sessionContext.session;
      const comm = kernel.createComm('sambalab');
      await kernel.info;
      if (kernel.supportsSubshells) {
        await comm.subshellStarted;
      }
      comm.open({});
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        const header = new TextEncoder().encode(JSON.stringify({ v: 1, id: `ping-${i}`, method: 'ping', params: {} }));
        const start = performance.now();
        await new Promise<void>(resolve => {
          comm.onMsg = message => {
            const [head] = message.buffers;
            const reply = JSON.parse(new TextDecoder().decode(head)) as { re?: string };
            if (reply.re === `ping-${i}`) {
              resolve();
            }
          };
          comm.send({}, undefined, [header, new Uint8Array(1000)]);
        });
        times.push(performance.now() - start);
        await new Promise(resolve => setTimeout(resolve, 30));
      }
      comm.close({});
      return times.sort((a, b) => a - b);
    }, n);
  }

  /** Save the notebook through JupyterLab's command. */
  async save(): Promise<void> {
    await this.page.evaluate(() => (window as unknown as Exposed).jupyterapp.commands.execute('docmanager:save'));
  }

  async restartKernel(): Promise<void> {
    await this.page.evaluate(async () => {
      const { kernel } = (window as unknown as Exposed).jupyterapp.shell.currentWidget.sessionContext.session;
      await kernel.restart();
      await kernel.info;
    });
    await this.kernelReady();
  }
}

/** The printed text of outputs. */
export function textOf(outputs: IOutput[]): string {
  return outputs
    .filter(output => output.output_type === 'stream')
    .map(output => (Array.isArray(output.text) ? output.text.join('') : (output.text ?? '')))
    .join('');
}
