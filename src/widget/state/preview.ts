/** One feature as a grey picture over the image. */
import { featureKey, featureNames, FeatureSpec } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { ILevels, ByteTiles } from '../tiles/byte-tiles';

/** The preview of one session. */
export class FeaturePreview extends ByteTiles {
  constructor(options: FeaturePreview.IOptions) {
    super(options.image);
    this._channels = options.channels;
    this._link = options.link;
  }

  /** Names of the channels of the feature stack. */
  get names(): readonly string[] {
    return this._names;
  }

  /** Name of the chosen channel, even while the stack lacks it. */
  get name(): string {
    return this._names[this._channel] ?? this._chosen;
  }

  /** Number of the chosen channel in the stack; −1 while the stack lacks it. */
  get channel(): number {
    return this._channel;
  }

  /** 0 to 1. */
  get opacity(): number {
    return this._opacity;
  }

  set opacity(opacity: number) {
    this._opacity = Math.min(Math.max(opacity, 0), 1);
    this.emitChanged();
  }

  /** Set the features. The chosen channel is found by its name; it may be missing for a while and come back. */
  offer(spec: FeatureSpec): void {
    if (this._spec && featureKey(spec) === featureKey(this._spec)) {
      return;
    }
    this._spec = spec;
    this._names = featureNames(spec, this._channels);
    if (this._chosen === '') {
      this._chosen = this._names[0]!;
    }
    this._channel = this._find();
    this.begin();
  }

  /** Choose another channel, by its number in the stack. */
  choose(channel: number): void {
    const name = this._names[channel];
    if (name !== undefined && name !== this._chosen) {
      this._chosen = name;
      this._channel = channel;
      this.begin();
    }
  }

  protected override what(): string | null {
    if (this._channel < 0 || !this._spec) {
      return null;
    }
    const key = `${featureKey(this._spec)}${this.name}`;
    let what = this._known.get(key);
    if (what === undefined) {
      what = String(this._known.size);
      this._known.set(key, what);
    }
    return what;
  }

  protected override async load(slice: number, tiles: ITileRef[], signal: AbortSignal): Promise<ILevels> {
    const { session } = this._link;
    const params = { session, slice, features: this._spec!, channel: this.channel, tiles };
    const { result, buffers } = await this._link.request('feature.tiles', params, { signal });
    return { version: 0, low: result.low, high: result.high, buffers };
  }

  /** Number of the chosen channel; −1 if the stack lacks it. A feature of a colour and that of the luminance count as the same. */
  private _find(): number {
    const exact = this._names.indexOf(this._chosen);
    if (exact >= 0) {
      return exact;
    }
    const bare = (name: string) => name.replace(/^(?:red|green|blue): /, '');
    return this._names.findIndex(name => bare(name) === bare(this._chosen));
  }

  private readonly _channels: number;
  private readonly _link: ISessionLink;
  /** Short keys of the features that were shown, by spec and channel. */
  private readonly _known = new Map<string, string>();
  private _spec: FeatureSpec | null = null;
  private _names: string[] = [];
  private _chosen = '';
  private _channel = 0;
  private _opacity = 1;
}

/** The namespace for {@link FeaturePreview}. */
export namespace FeaturePreview {
  export interface IOptions {
    image: ISize;
    /** Channels of the image: 1 or 3. */
    channels: number;
    link: ISessionLink;
  }
}
