/** The link of a session for slices in the direction xz or yz: names the direction in requests of tiles and pixels. */
import { ISignal, Signal } from '@lumino/signaling';
import { IReply, IRequestOptions } from '../../kernel-bridge';
import { EventName, Method, Params, SessionState, SliceDirection } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';

/** The methods whose slices are counted in a direction. Patches name it themselves. */
const DIRECTED: ReadonlySet<Method> = new Set<Method>(['image.tile', 'image.pixel', 'image.flood', 'overlay.tiles']);

export class DirectedLink implements ISessionLink {
  constructor(
    private readonly _link: ISessionLink,
    private readonly _direction: SliceDirection
  ) {}

  get session(): string {
    return this._link.session;
  }

  get attached(): ISignal<ISessionLink, SessionState> {
    return this._link.attached;
  }

  request<M extends Method>(method: M, params: Params<M>, options?: IRequestOptions): Promise<IReply<M>> {
    const named = DIRECTED.has(method) ? { ...params, direction: this._direction } : params;
    return this._link.request(method, named, options);
  }

  /** Tiles of a segmentation in the making are those of slices in xy: these events do not come. */
  on<E extends EventName>(event: E): ISignal<ISessionLink, ISessionEvent<E>> {
    return event === 'segmentation.tiles' ? new Signal<ISessionLink, ISessionEvent<E>>(this) : this._link.on(event);
  }
}
