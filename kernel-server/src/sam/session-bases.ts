/**
 * Each session's own bases: one for each model, window and list of layers, fitted to the slice that is encoded first. They are in memory; the
 * basis that a session fitted last is also in its folder, for the next sidecar.
 */
import type { IEmbeddingBasis } from '../../../engine/core/embedding';
import { EmbeddingSpec } from '../../../src/shared/features';
import { rectOf } from '../../../src/shared/region';
import { log } from '../base/log';
import { Session } from '../session/session';
import { readBasis, writeBasis } from './basis-file';

export class SessionBases {
  /** @param _digest SHA-256 of the encoder's file: bases of other encoders are ignored */
  constructor(private readonly _digest: () => string) {}

  /** The session's own basis for a spec, if it is in memory. */
  get(session: Session, spec: EmbeddingSpec): IEmbeddingBasis | undefined {
    return this._bases.get(session)?.get(specKey(session, spec));
  }

  /** Read the basis that an earlier sidecar left in the session's folder, once. */
  async load(session: Session): Promise<void> {
    let loading = this._loading.get(session);
    if (!loading) {
      loading = this._read(session);
      this._loading.set(session, loading);
    }
    await loading;
  }

  /** Make a basis the session's own, and write it to the session's folder. */
  async set(session: Session, spec: EmbeddingSpec, basis: IEmbeddingBasis): Promise<void> {
    this._put(session, spec, basis);
    const to = { image: imageKey(session), window: spec.window!, views: spec.views };
    await writeBasis(session.folder, to, basis).catch(error =>
      log(`the basis of session ${session.id} could not be kept`, error)
    );
  }

  /** Forget a session's bases; the file stays. */
  forget(session: Session): void {
    this._bases.delete(session);
    this._loading.delete(session);
  }

  private async _read(session: Session): Promise<void> {
    const kept = await readBasis(session.folder);
    if (kept?.image === imageKey(session) && kept.basis.digest === this._digest()) {
      const { model, layers } = kept.basis;
      this._put(session, { model, window: kept.window, views: kept.views, layers }, kept.basis);
    }
  }

  private _put(session: Session, spec: EmbeddingSpec, basis: IEmbeddingBasis): void {
    const ofSession = this._bases.get(session) ?? new Map<string, IEmbeddingBasis>();
    this._bases.set(session, ofSession.set(specKey(session, spec), basis));
  }

  private readonly _bases = new WeakMap<Session, Map<string, IEmbeddingBasis>>();
  private readonly _loading = new WeakMap<Session, Promise<void>>();
}

/** Names what the encoder sees of a session: its image, or the rows and columns of it that are worked on. */
function imageKey({ record: { image, region } }: Session): string {
  const { row0, row1, column0, column1 } = rectOf(region, image.shape);
  return region ? `${image.digest} ${row0}-${row1} ${column0}-${column1}` : image.digest;
}

/** A key for what the encoder sees of a session together with a model, window and layers. */
export function specKey(session: Session, { model, window, views, layers }: EmbeddingSpec): string {
  const { display } = session.record.image;
  const names = layers.map(({ layer, components }) => `${layer}:${components}`).join();
  return `${session.id}/${imageKey(session)}/${display.low},${display.high}/${model}/${window}/${views}/${names}`;
}
