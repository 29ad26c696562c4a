/** The labeller as an ipywidget: the model carries the session's id; everything else goes over the live comm. */
import { DOMWidgetModel, DOMWidgetView, ISerializers, JupyterLuminoPanelWidget } from '@jupyter-widgets/base';
import { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';
import { IKernelLike, LiveComm } from '../kernel-bridge';
import { BridgeError, SLICE_DIRECTIONS, SliceDirection } from '../shared';
import { offerPicture } from './base/output-pictures';
import { drawPicture } from './canvas/picture';
import { LabellerState } from './state/labeller-state';
import { Settings, userSettings } from './base/settings';
import { trans } from './base/translation';
import { MODULE_NAME, MODULE_VERSION } from './version';
import { LabellerPanel } from './frame/labeller-panel';

/** The part of JupyterLab's kernel connection that is used, besides comms. */
interface IKernel extends IKernelLike {
  readonly statusChanged: ISignalLike;
  readonly connectionStatusChanged: ISignalLike;
  readonly connectionStatus?: string;
  /** Open the socket again, now. */
  reconnect?(): Promise<void>;
}

interface ISignalLike {
  connect(slot: (sender: unknown, value: string) => void): boolean;
  disconnect(slot: (sender: unknown, value: string) => void): boolean;
}

/** The model: one session, whose state all views share. */
export class LabellerModel extends DOMWidgetModel {
  static override serializers: ISerializers = { ...DOMWidgetModel.serializers };

  override defaults(): Record<string, unknown> {
    return {
      ...super.defaults(),
      _model_name: 'LabellerModel',
      _model_module: MODULE_NAME,
      _model_module_version: MODULE_VERSION,
      _view_name: 'LabellerView',
      _view_module: MODULE_NAME,
      _view_module_version: MODULE_VERSION,
      session: '',
      title: '',
      direction: 'xy'
    };
  }

  /** The state, created for the first view. Each view calls {@link release} when it is removed. */
  acquire(): LabellerState {
    this._views++;
    this._state ??= this._open();
    return this._state;
  }

  /** A view was removed. After the last one the state is disposed, once its queue is empty or the connection is lost. */
  release(): void {
    this._views--;
    const state = this._state;
    if (this._views === 0 && state) {
      // Unsent strokes are sent first, while there is a connection.
      const cut = new Promise<void>(resolve => {
        const check = () => {
          if (state.connection.state.state !== 'connected') {
            state.connection.changed.disconnect(check);
            resolve();
          }
        };
        state.connection.changed.connect(check);
        check();
      });
      void Promise.race([state.drained(), cut]).then(() => {
        if (this._views === 0 && this._state === state) {
          this._dispose();
        }
      });
    }
  }

  override close(commClosed?: boolean): Promise<void> {
    // The kernel closed the model; its views stay in the page with the image.
    this._gone = true;
    this._state?.connection.close();
    return super.close(commClosed);
  }

  private _open(): LabellerState {
    // LabWidgetManager has a kernel, and a notebook's one its context; the type of a manager does not say so.
    const manager = this.widget_manager as unknown as {
      kernel?: IKernel | null;
      context?: { path?: string };
    };
    const settings = new Settings(userSettings.values);
    const follow = (_: unknown, changed: object) => settings.set(changed);
    userSettings.changed.connect(follow);
    const state: LabellerState = new LabellerState({
      session: this.get('session') as string,
      settings,
      connect: () => {
        const kernel = manager.kernel;
        if (!kernel) {
          const message = trans.__('This labeller has no kernel. Start one and run the cell again.');
          return Promise.reject(new BridgeError('disconnected', message));
        }
        return LiveComm.open(kernel);
      },
      notebook: () => manager.context?.path ?? null,
      createDecoder: async () => {
        const { SuggestionDecoder } = await import('./decoder/decoder');
        const { connection } = state;
        const { decoder, decoderRoute } = settings.values;
        return new SuggestionDecoder({
          kernels: decoder === 'kernels',
          route: decoder === 'graph' ? 'page' : decoderRoute,
          sidecar: { link: connection, isConnected: () => connection.state.state === 'connected' }
        });
      }
    });
    this._state = state;
    const unwatch = manager.kernel ? watchKernel(manager.kernel, state) : undefined;
    // Close the comm when the page is left: the kernel would send to it for ever.
    const leave = () => state.connection.close();
    window.addEventListener('pagehide', leave);
    const turn = () => {
      const direction = this.get('direction') as SliceDirection;
      if (SLICE_DIRECTIONS.includes(direction)) {
        state.setDirection(direction);
      }
    };
    turn();
    this.on('change:direction', turn);
    state.changed.connect(() => this._tellDirection(state));
    const offer = offerPicture(this.model_id, () => drawPicture(state));
    this._cleanUp = () => {
      offer.dispose();
      this.off('change:direction', turn);
      window.removeEventListener('pagehide', leave);
      userSettings.changed.disconnect(follow);
      unwatch?.();
    };
    if (this._gone) {
      state.connection.close();
    }
    void state.open();
    return state;
  }

  /** Tell Python the direction that the user chose. */
  private _tellDirection({ parts, direction }: LabellerState): void {
    if (parts && !this._gone && direction !== this.get('direction')) {
      this.set('direction', direction);
      this.save_changes();
    }
  }

  private _dispose(): void {
    this._cleanUp?.();
    this._state?.dispose();
    this._state = null;
  }

  private _state: LabellerState | null = null;
  private _views = 0;
  private _gone = false;
  private _cleanUp: (() => void) | undefined;
}

/**
 * Close the connection with its kernel, since comms end silently, and attach again after the socket was disconnected and lost messages. When the
 * browser is online again the socket is opened at once: JupyterLab waits longer after each failure, and gives up after seven.
 */
function watchKernel(kernel: IKernel, state: LabellerState): () => void {
  let away = false;
  const onStatus = (_: unknown, status: string) => {
    if (status === 'restarting' || status === 'autorestarting') {
      state.connection.close('restarted');
    } else if (status === 'dead' || status === 'terminating') {
      state.connection.close('stopped');
    }
  };
  const onConnection = (_: unknown, status: string) => {
    if (status !== 'connected') {
      away = true;
      state.connection.away();
    } else if (away) {
      away = false;
      void state.connection.attach();
    }
  };
  const onOffline = () => void state.connection.check();
  const onOnline = () => {
    if (kernel.connectionStatus === 'connected') {
      state.connection.resend();
    } else {
      kernel.reconnect?.().catch(() => undefined); // the next try follows by itself
    }
  };
  kernel.statusChanged.connect(onStatus);
  kernel.connectionStatusChanged.connect(onConnection);
  window.addEventListener('offline', onOffline);
  window.addEventListener('online', onOnline);
  return () => {
    window.removeEventListener('offline', onOffline);
    window.removeEventListener('online', onOnline);
    kernel.statusChanged.disconnect(onStatus);
    kernel.connectionStatusChanged.disconnect(onConnection);
  };
}

/** One view of the model in an output. */
export class LabellerView extends DOMWidgetView {
  override _createElement(tagName: string): HTMLElement {
    this.luminoWidget = new JupyterLuminoPanelWidget({ view: this });
    void tagName;
    return this.luminoWidget.node;
  }

  override _setElement(el: HTMLElement): void {
    // The element belongs to the Lumino widget and is not replaced.
    this.el = el;
    this.$el = this.luminoWidget.node as unknown as typeof this.$el;
  }

  override render(): void {
    super.render();
    this.el.classList.add('sambalab-output');
  }

  override processLuminoMessage(message: Message): void {
    super.processLuminoMessage(message);
    // Not before: if the cell runs again meanwhile, the view is never attached, and never removed.
    if (message.type === 'after-attach' && !this._panel && !this._removed) {
      this._panel = new LabellerPanel((this.model as LabellerModel).acquire());
      (this.luminoWidget as Panel).addWidget(this._panel);
    }
  }

  override remove(): unknown {
    this._removed = true;
    if (this._panel) {
      this._panel.dispose();
      this._panel = null;
      (this.model as LabellerModel).release();
    }
    return super.remove();
  }

  private _panel: LabellerPanel | null = null;
  private _removed = false;
}
