/**
 * The models that suggest. Each session has its choice; MobileSAM serves all that chose none, and the features of classifiers of all. Every model
 * that a user brought has a process of its own, so one that fails leaves the others as they are.
 */
import { PROMPT_MODELS } from '../../../src/shared/models';
import type { SamModelInfo } from '../../../src/shared/protocol';
import { BridgeError } from '../../../src/shared/errors';
import type { IPromptServices, ISamService } from '../jobs/services';
import { log } from '../base/log';
import { checkContract } from './model-contract';
import { fileIn, findModelFolders, IFoundModel, IOpenedModel, openChosenModel } from './model-search';
import { SamService } from './service';

/** A model that is open. */
interface IOpen {
  /** SHA-256 of both files. */
  digests: string;
  service: ISamService;
}

export class PromptModels implements IPromptServices {
  constructor(options: PromptModels.IOptions) {
    this._builtIn = options.builtIn;
    this._env = options.env ?? process.env;
    this._create = options.create ?? (model => new SamService({ model, env: this._env }));
  }

  of({ record }: Parameters<IPromptServices['of']>[0]): Promise<ISamService> {
    return this.open(record.samModel);
  }

  /**
   * The service of a model. Its files are found and checked when it is first asked for, and again if `anew`.
   *
   * @param choice the id of a model, or the path of its folder
   * @throws BridgeError `model` that says which file is wrong, and what would do
   */
  async open(choice: string, anew = false): Promise<ISamService> {
    if (choice === this._builtIn.manifest.id) {
      return this._builtIn;
    }
    const before = this._open.get(choice);
    if (before && !anew) {
      return (await before).service;
    }
    const opening = this._start(choice, before);
    this._open.set(choice, opening);
    try {
      return (await opening).service;
    } catch (error) {
      if (this._open.get(choice) === opening) {
        this._open.delete(choice); // the user may mend it
      }
      throw error;
    }
  }

  /**
   * All models with what is known of their files: found and of the right form, found and wrong, or not here. Sums are not compared. The folder of a
   * model that is ready is the first with files of the right form.
   */
  list(): Promise<SamModelInfo[]> {
    return Promise.all(
      PROMPT_MODELS.map(async ({ id, title, license }): Promise<SamModelInfo> => {
        const about = { id, title, license };
        if (id === this._builtIn.manifest.id) {
          return { ...about, state: 'ready', place: 'built-in', folder: null, problem: this._builtIn.problem };
        }
        let found: readonly IFoundModel[];
        try {
          found = await findModelFolders(id, this._env);
        } catch (error) {
          return { ...about, state: 'missing', place: null, folder: null, problem: BridgeError.from(error).message };
        }
        const problems: string[] = [];
        for (const { manifest, folder, place } of found) {
          try {
            for (const part of ['encoder', 'decoder'] as const) {
              await checkContract(manifest, part, await fileIn(manifest, folder, part));
            }
            return { ...about, state: 'ready', place, folder, problem: problems.join(' ') || null };
          } catch (error) {
            problems.push(BridgeError.from(error).message);
          }
        }
        const { place, folder } = found[0]!;
        return { ...about, state: 'broken', place, folder, problem: problems.join(' ') };
      })
    );
  }

  async dispose(): Promise<void> {
    const open = [...this._open.values()];
    this._open.clear();
    await Promise.allSettled(open.map(async each => (await each).service.dispose()));
  }

  private async _start(choice: string, before: Promise<IOpen> | undefined): Promise<IOpen> {
    const model = await openChosenModel(choice, this._env);
    const { encoder, decoder, problems } = model;
    const digests = [encoder.file.sha256, decoder.file.sha256, encoder.path, decoder.path, ...problems].join(' ');
    const old = await before?.catch(() => undefined);
    if (old?.digests === digests) {
      return old;
    }
    old?.service.dispose().catch(error => log(`the process of ${choice} did not stop`, error));
    return { digests, service: this._create(model) };
  }

  private readonly _builtIn: ISamService;
  private readonly _env: NodeJS.ProcessEnv;
  private readonly _create: (model: IOpenedModel) => ISamService;
  private readonly _open = new Map<string, Promise<IOpen>>();
}

/** The namespace for {@link PromptModels}. */
export namespace PromptModels {
  export interface IOptions {
    /** The service of the model that comes with SambaLab. */
    builtIn: ISamService;
    env?: NodeJS.ProcessEnv;
    create?(model: IOpenedModel): ISamService;
  }
}
