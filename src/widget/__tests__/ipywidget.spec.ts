/** @jest-environment jsdom */
import './page';
import { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';
import { LabellerModel, LabellerView } from '../ipywidget';

/** As much of ipywidgets as the labeller uses. */
jest.mock('@jupyter-widgets/base', () => {
  const lumino = jest.requireActual<typeof import('@lumino/widgets')>('@lumino/widgets');
  class DOMWidgetModel {
    static serializers = {};
    widget_manager: unknown;
    get(): string {
      return '0123456789abcdef0123456789abcdef';
    }
    on(): void {}
    off(): void {}
    close(): Promise<void> {
      return Promise.resolve();
    }
  }
  class DOMWidgetView {
    model: unknown;
    render(): void {}
    remove(): void {}
    processLuminoMessage(): void {}
  }
  class JupyterLuminoPanelWidget extends lumino.Panel {
    constructor({ view }: { view: LabellerView }) {
      super();
      this._owner = view;
    }
    override processMessage(message: Message): void {
      super.processMessage(message);
      this._owner.processLuminoMessage(message);
    }
    private readonly _owner: LabellerView;
  }
  return { DOMWidgetModel, DOMWidgetView, JupyterLuminoPanelWidget };
});
jest.mock('../decoder/decoder', () => ({}));

const settle = () => new Promise(resolve => setTimeout(resolve, 10));

/** A kernel that counts what its comms do. */
function makeKernel() {
  const log: string[] = [];
  let know: (info: unknown) => void = () => undefined;
  const signal = { connect: () => true, disconnect: () => true };
  const kernel = {
    info: new Promise(resolve => (know = resolve)),
    statusChanged: signal,
    connectionStatusChanged: signal,
    createComm: () => ({
      open: () => log.push('open'),
      close: () => log.push('close'),
      send: () => undefined,
      onMsg: () => undefined,
      onClose: () => undefined
    })
  };
  return { kernel, log, know: () => know({}) };
}

function make() {
  const { kernel, log, know } = makeKernel();
  const model = new (LabellerModel as unknown as new () => LabellerModel)();
  Object.assign(model, { widget_manager: { kernel } });
  const view = new (LabellerView as unknown as new () => LabellerView)();
  Object.assign(view, { model });
  view._setElement(view._createElement('div'));
  view.render();
  const show = () => Widget.attach(view.luminoWidget as unknown as Panel, document.body);
  return { model, view, log, know, show };
}

describe('LabellerView', () => {
  it('opens no comm before it is attached: a cell that runs again leaves views that never are', async () => {
    const { view, log, know, show } = make();
    know();
    await settle();
    expect(log).toEqual([]);
    show();
    await settle();
    expect(log).toEqual(['open']);
    view.remove();
    await settle();
    expect(log).toEqual(['open', 'close']);
  });

  it('closes a comm that opens after the view was removed', async () => {
    const { view, log, know, show } = make();
    show();
    view.remove();
    know();
    await settle();
    expect(log).toEqual(['open', 'close']);
  });

  it('opens no comm for a model that the kernel has closed', async () => {
    const { model, log, know, show } = make();
    await model.close();
    know();
    show();
    await settle();
    expect(log).toEqual([]);
  });
});
