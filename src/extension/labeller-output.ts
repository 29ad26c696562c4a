/** Shows a labeller's output: the widget while a kernel has it, else the picture that the notebook keeps. */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IDisposable } from '@lumino/disposable';
import { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Panel, Widget } from '@lumino/widgets';
import { trans } from '../widget/base/translation';

/** The MIME type of labellers' outputs, as `sambalab/widget.py` has it. */
export const LABELLER_TYPE = 'application/vnd.sambalab.labeller+json';

/** The MIME types that every front end knows. */
export const VIEW_TYPE = 'application/vnd.jupyter.widget-view+json';
export const PNG_TYPE = 'image/png';

type Renderer = ReturnType<IRenderMimeRegistry['createRenderer']>;
type Model = Parameters<Renderer['renderModel']>[0];

/** Renders outputs of {@link LABELLER_TYPE}. */
export class LabellerOutput extends Panel {
  constructor() {
    super();
    this.addClass('sambalab-lasting');
    this._picture.addClass('sambalab-picture');
    this._picture.node.dataset['testid'] = 'sambalab-picture';
    this.addWidget(this._picture);
  }

  renderModel(model: Model): Promise<void> {
    this._model = model;
    this._drawPicture(model);
    this._choose();
    if (this.isAttached) {
      this._begin();
    }
    return Promise.resolve();
  }

  override dispose(): void {
    this._watch?.disconnect();
    Signal.clearData(this);
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._begin();
  }

  /** Begin to show the widget, once the output area is known. */
  private _begin(): void {
    const rendermime = rendermimeOf(this);
    if (rendermime && this._model && this._begun !== this._model) {
      this._begun = this._model;
      this._shown = false;
      this._addView(rendermime);
      renewals(rendermime).connect(this._onRenewed, this);
    }
  }

  /** The notebook got its manager of widgets, with a kernel: the renderer from before waits for it in vain. */
  private _onRenewed(rendermime: IRenderMimeRegistry): void {
    if (!this._shown && !this.isDisposed) {
      this._addView(rendermime);
    }
  }

  /** Add the renderer of ipywidgets. It writes texts while it has no view. */
  private _addView(rendermime: IRenderMimeRegistry): void {
    this._watch?.disconnect();
    this._view?.dispose();
    this._view = null;
    const model = this._model!;
    if (VIEW_TYPE in model.data && rendermime.getFactory(VIEW_TYPE)) {
      const view = rendermime.createRenderer(VIEW_TYPE);
      this._view = view;
      this._watch = new MutationObserver(() => this._choose());
      this._watch.observe(view.node, { childList: true });
      this.addWidget(view);
      view.renderModel(model).catch((reason: unknown) => {
        if (!view.isDisposed) {
          console.error('A labeller could not be shown.', reason);
        }
      });
    }
    this._choose();
  }

  private _drawPicture({ data }: Model): void {
    const { title } = (data[LABELLER_TYPE] ?? {}) as { title?: string };
    const png = data[PNG_TYPE];
    this._hasPicture = typeof png === 'string';
    const image = document.createElement('img');
    image.src = `data:${PNG_TYPE};base64,${String(png)}`;
    image.alt = title ? trans.__('%1 with labels', title) : trans.__('Image with labels');
    const note = document.createElement('p');
    note.textContent = trans.__('As it was when the notebook was saved. Run the cell to go on labelling.');
    this._picture.node.replaceChildren(...(this._hasPicture ? [image, note] : []));
  }

  /** Show the view if it is there, or was there before; else the picture, or the text of ipywidgets if there is no picture. */
  private _choose(): void {
    this._shown ||= (this._view?.node.childElementCount ?? 0) > 0;
    const view = this._view !== null && (this._shown || !this._hasPicture);
    this._picture.node.hidden = view;
    this.toggleClass('sambalab-without-view', !view);
  }

  private readonly _picture = new Widget();
  private _model: Model | null = null;
  /** The model whose widget is shown or looked for. */
  private _begun: Model | null = null;
  private _view: (Renderer & IDisposable) | null = null;
  private _watch: MutationObserver | null = null;
  private _hasPicture = false;
  private _shown = false;
}

/** The renderers of the output area around a widget: each notebook has its own. */
function rendermimeOf(widget: Widget): IRenderMimeRegistry | null {
  for (let { parent } = widget; parent; parent = parent.parent) {
    if ('rendermime' in parent) {
      return parent.rendermime as IRenderMimeRegistry;
    }
  }
  return null;
}

const known = new WeakMap<IRenderMimeRegistry, Signal<IRenderMimeRegistry, void>>();

/**
 * Emits when ipywidgets replaces its renderer, which it does when the notebook's kernel is there. It also hands its manager to the
 * renderers that exist, but looks for them directly in output areas. The registry has no signal, so its method is wrapped.
 */
function renewals(rendermime: IRenderMimeRegistry): Signal<IRenderMimeRegistry, void> {
  let signal = known.get(rendermime);
  if (!signal) {
    const renewed = new Signal<IRenderMimeRegistry, void>(rendermime);
    const add = rendermime.addFactory.bind(rendermime);
    rendermime.addFactory = (factory, rank) => {
      add(factory, rank);
      if (factory.mimeTypes.includes(VIEW_TYPE)) {
        renewed.emit();
      }
    };
    known.set(rendermime, renewed);
    signal = renewed;
  }
  return signal;
}
