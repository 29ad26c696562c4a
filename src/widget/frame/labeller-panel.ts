/** A view of a labeller in a cell: toolbar, banner, image, side panel, status line, keys. */
import { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';
import { CanvasView } from '../canvas/canvas';
import { heightFor } from '../canvas/layers';
import { attachDebugHandle } from './debug';
import { button, element, setText } from '../base/dom';
import { ILabellerView } from '../commands';
import { FileDrop } from './file-drop';
import { FullWindow } from './full-window';
import { toggleHelp } from './help';
import { KeyMap } from './keys';
import { ModelBanner } from './model-banner';
import { NotesBanner } from './notes-banner';
import { Change } from '../state/change';
import { LabellerState } from '../state/labeller-state';
import { SidePanel } from '../panel/side-panel';
import { RecoveredBanner } from './recovered-banner';
import { RelatedBanner } from './related-banner';
import { ResumedBanner } from './resumed-banner';
import { StatusLine } from './status';
import { closedText, statusText, stoppedText } from './status-text';
import { ImageDisplay } from '../state/image-display';
import { ImageTiles } from '../tiles/image-tiles';
import { Toolbar } from './toolbar';
import { trans } from '../base/translation';

/** Shows a {@link LabellerState}; several views may show the same one. */
export class LabellerPanel extends Panel {
  constructor(private readonly _state: LabellerState) {
    super();
    this.addClass('sambalab');
    this.node.tabIndex = 0;
    this.node.dataset['testid'] = 'sambalab';
    // JupyterLab's notebook has shortcuts on many of the same keys.
    this.node.dataset['lmSuppressShortcuts'] = 'true';
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', trans.__('Image labeller'));
    this._placeholder = new Widget();
    this._placeholder.addClass('sambalab-placeholder');
    this._placeholder.node.setAttribute('role', 'status');
    this.addWidget(this._placeholder);
    _state.changed.connect(this._onChanged, this);
    this._full.changed.connect(this._onFull, this);
    this._drop = new FileDrop(this.node, _state.labelFiles);
    this._update();
  }

  /** The canvas; null until the session is known. */
  get canvas(): CanvasView | null {
    return this._canvas;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._state.changed.disconnect(this._onChanged, this);
    this._keys?.dispose();
    this._full.dispose();
    this._drop.dispose();
    super.dispose();
  }

  handleEvent(event: Event): void {
    if (event.type === 'pointerdown' && this._canvas?.node.contains(event.target as Node)) {
      this.node.focus({ preventScroll: true });
    }
    // Else the notebook would select the cell and take the focus away.
    event.stopPropagation();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._widths = new ResizeObserver(() => this._layOut());
    this._widths.observe(this.node);
    for (const type of EVENTS) {
      this.node.addEventListener(type, this);
    }
  }

  protected override onBeforeDetach(message: Message): void {
    this._widths?.disconnect();
    for (const type of EVENTS) {
      this.node.removeEventListener(type, this);
    }
    super.onBeforeDetach(message);
  }

  private _onChanged(_: LabellerState, change: Change): void {
    if (change === 'session' || change === 'status') {
      this._update();
    }
  }

  private _onFull(_: FullWindow, on: boolean): void {
    this._layOut();
    if (this._canvas) {
      this._canvas.fills = on;
    }
  }

  private _update(): void {
    const image = this._state.parts?.tiles;
    if (image && image !== this._image) {
      const turned = this._canvas && this._display === this._state.parts!.display;
      this._image = image;
      this._display = this._state.parts!.display;
      if (turned) {
        this._turn();
      } else {
        this._build();
      }
    }
    if (!this._canvas) {
      const { text, kind } = statusText(this._state);
      setText(this._placeholder.node, text);
      this._placeholder.node.dataset['kind'] = kind;
    }
    const connection = this._state.connection.state;
    this._note.hidden = connection.state !== 'closed' && connection.state !== 'stopped';
    this._start.hidden = connection.state !== 'stopped';
    setText(this._gone, connection.state === 'closed' ? closedText(connection.why) : stoppedText());
  }

  private _build(): void {
    this._keys?.dispose();
    for (const widget of [...this.widgets]) {
      widget.dispose();
    }
    const stage = new Panel();
    stage.addClass('sambalab-stage');
    stage.node.append(this._note);
    this._stage = stage;
    const body = new Panel();
    body.addClass('sambalab-body');
    body.addWidget(stage);
    body.addWidget(new SidePanel(this._state));
    this._body = body;
    this.addWidget(new ResumedBanner(this._state));
    this.addWidget(new NotesBanner(this._state));
    this.addWidget(body);
    this.addWidget(new RecoveredBanner(this._state));
    this.addWidget(new RelatedBanner(this._state));
    this.addWidget(new ModelBanner(this._state));
    this._buildView(stage);
  }

  /** The slices are those of another direction: build what belongs to them, and leave the panel as the user has it. */
  private _turn(): void {
    const focused = document.activeElement;
    const had = this.node.contains(focused);
    this._keys?.dispose();
    [this._canvas, this._toolbar, this._status].forEach(widget => widget?.dispose());
    this._buildView(this._stage!);
    if (had && !this.node.contains(document.activeElement)) {
      const { testid } = (focused as HTMLElement).dataset;
      const same = testid && this.node.querySelector<HTMLElement>(`[data-testid="${testid}"]`);
      (same || this.node).focus({ preventScroll: true });
    }
  }

  /** Build the canvas and the widgets that belong to it. */
  private _buildView(stage: Panel): void {
    const canvas = new CanvasView({
      state: this._state,
      hasFocus: () => this.node.contains(document.activeElement)
    });
    this._canvas = canvas;
    stage.insertWidget(0, canvas);
    const view: ILabellerView = {
      node: this.node,
      state: this._state,
      canvas,
      toggleHelp: () => toggleHelp(this.node),
      toggleFullWindow: () => this._full.toggle(),
      isFullWindow: () => this._full.on
    };
    this._toolbar = new Toolbar(view);
    this._status = new StatusLine(this._state, canvas);
    this.insertWidget(0, this._toolbar);
    this.addWidget(this._status);
    this._keys = new KeyMap(view);
    this._layOut();
    canvas.fills = this._full.on;
    attachDebugHandle(this.node, this._state, canvas);
  }

  /** Lay the panel below an image that would be low beside it. */
  private _layOut(): void {
    const image = this._state.parts?.image;
    const width = this.node.clientWidth;
    if (image && this._body && width > 0) {
      const low = heightFor(image, width - PANEL_WIDTH) < PANEL_LEAST;
      this._body.toggleClass('sambalab-flat', low && !this._full.on);
    }
  }

  private readonly _placeholder: Widget;
  private readonly _full = new FullWindow(this.node);
  private readonly _drop: FileDrop;
  private _body: Panel | null = null;
  private _stage: Panel | null = null;
  private _toolbar: Toolbar | null = null;
  private _status: StatusLine | null = null;
  private _display: ImageDisplay | null = null;
  private _widths: ResizeObserver | null = null;
  private _image: ImageTiles | null = null;
  private _canvas: CanvasView | null = null;
  private _keys: KeyMap | null = null;
  private readonly _gone = element('span', { role: 'status' });
  private readonly _start = button({
    testid: 'sambalab-start',
    title: trans.__('Start the sidecar again; so does drawing'),
    text: trans.__('Start again'),
    className: 'sambalab-outlined',
    run: () => this._state.connection.start()
  });
  /** Over the image while there is no kernel or sidecar. */
  private readonly _note = element(
    'div',
    { class: 'sambalab-gone', 'data-testid': 'sambalab-gone' },
    this._gone,
    this._start
  );
}

/** Width of the panel beside the image, and the least height that is enough for it, in CSS pixels. */
const PANEL_WIDTH = 280;
const PANEL_LEAST = 360;

const EVENTS = ['pointerdown', 'mousedown', 'dblclick', 'contextmenu'] as const;
