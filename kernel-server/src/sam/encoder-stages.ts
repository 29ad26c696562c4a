/**
 * An encoder's graph in stages on the CPU. The runtime cannot stop a run, which takes a second; between two stages the SAM process finds out that the
 * embedding is no longer wanted, or that another one is wanted first.
 *
 * The graph is cut where the manifest says, or between its blocks, where a single tensor crosses. Each stage is a session with its own part of the
 * weights. A stage is opened when its input is first there, since only then is the input's shape known: with it the runtime makes the same kernels of
 * the stage as of the whole graph.
 */
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { IPromptModel } from '../../../src/shared/models';
import { ModelCutter } from '../../../src/shared/onnx/cut';

/** Stages of a graph for which the manifest names none, if it has enough places to cut it. */
const STAGES = 4;

/** A place where a graph is cut: see `stages` in the manifest. */
type Crossing = NonNullable<IPromptModel['encoder']['stages']>[number];

/** Called before each stage but the first, with its number and how many there are. What it throws ends the run. */
export type BetweenStages = (stage: number, stages: number) => Promise<void>;

/** A stage cannot be opened; the whole graph may be. */
export class StageError extends Error {}

interface IStage {
  /** The tensor that the stage before makes; undefined for the first stage, which takes the graph's inputs. */
  input: Crossing | undefined;
  /** The tensor that the next stage takes; undefined for the last one. */
  crossing: string | undefined;
  /** Those of the graph's outputs that it makes. */
  outputs: string[];
  session?: InferenceSession;
}

type Feeds = Readonly<Record<string, Tensor>>;

export class EncoderStages {
  /**
   * @param model bytes of an ONNX file
   * @param open opens a part of it on the CPU
   * @param places where it is cut; undefined: where it can be
   * @returns undefined for a graph without places to cut it, and for one whose weights are in another file
   * @throws RangeError for bytes that are no ONNX model
   */
  static of(
    model: Uint8Array,
    open: (part: Uint8Array) => Promise<InferenceSession>,
    places?: readonly Crossing[]
  ): EncoderStages | undefined {
    const cutter = new ModelCutter(model);
    if (cutter.hasExternalWeights) {
      return undefined;
    }
    const crossings = places ?? cutter.places(STAGES - 1).map(tensor => ({ tensor }));
    return crossings.length > 0 ? new EncoderStages(cutter, crossings, open) : undefined;
  }

  private constructor(
    cutter: ModelCutter,
    crossings: readonly Crossing[],
    private readonly _open: (model: Uint8Array) => Promise<InferenceSession>
  ) {
    this._cutter = cutter;
    const all = [...crossings, undefined];
    const outputs = cutter.outputs;
    const after = crossings.map(({ tensor }) => new Set(cutter.outputsBefore(tensor)));
    this._stages = all.map((crossing, i) => ({
      input: all[i - 1],
      crossing: crossing?.tensor,
      outputs: outputs.filter(name => !after[i - 1]?.has(name) && (after[i]?.has(name) ?? true))
    }));
  }

  /** Number of stages. */
  get count(): number {
    return this._stages.length;
  }

  /**
   * Run the stages up to the last one that makes a wanted output. Several runs may go on at a time, each waiting between its stages.
   *
   * @param fetches names of the graph's outputs
   * @throws StageError for a graph that cannot be opened in these stages
   */
  async run(
    feeds: Feeds,
    fetches: readonly string[],
    between: BetweenStages = () => Promise.resolve()
  ): Promise<InferenceSession.ReturnType> {
    const wanted = this._stages.map(({ outputs }) => outputs.filter(name => fetches.includes(name)));
    const last = wanted.reduce((latest, { length }, i) => (length > 0 ? i : latest), 0);
    const results: Record<string, Tensor> = {};
    let given: Feeds = feeds;
    this._runs++;
    try {
      for (const [i, stage] of this._stages.slice(0, last + 1).entries()) {
        if (i > 0) {
          await between(i, last + 1);
        }
        stage.session ??= await this._opened(stage, given);
        const crossing = i < last ? stage.crossing : undefined;
        const names = [...new Set([...wanted[i]!, ...(crossing === undefined ? [] : [crossing])])];
        const made = await stage.session.run(given, names);
        wanted[i]!.forEach(name => (results[name] = made[name]!));
        drop(given, feeds, results);
        given = crossing === undefined ? {} : { [crossing]: made[crossing]! };
      }
      return results;
    } finally {
      drop(given, feeds, results);
      this._runs--;
      await this._end();
    }
  }

  /** Free its memory once its runs have ended; none may begin any more. */
  async release(): Promise<void> {
    this._released = true;
    await this._end();
  }

  private async _end(): Promise<void> {
    if (this._released && this._runs === 0) {
      this._cutter = undefined;
      await Promise.all(this._stages.map(({ session }) => session?.release()));
    }
  }

  private async _opened(stage: IStage, given: Feeds): Promise<InferenceSession> {
    try {
      return await this._open(this._part(stage, given));
    } catch (error) {
      throw new StageError((error as Error).message);
    }
  }

  /** The model of a stage. The whole model is let go with the last one. */
  private _part({ input, crossing, outputs }: IStage, given: Feeds): Uint8Array {
    const names = [...new Set([...outputs, ...(crossing === undefined ? [] : [crossing])])];
    const inputs = input ? [{ name: input.tensor, shape: input.shape ?? given[input.tensor]!.dims }] : [];
    const { model } = this._cutter!.cut(
      names.map(name => ({ name })),
      inputs
    );
    if (crossing === undefined) {
      this._cutter = undefined;
    }
    return model;
  }

  private readonly _stages: IStage[];
  private _cutter: ModelCutter | undefined;
  private _runs = 0;
  private _released = false;
}

/** Free tensors that are neither the run's inputs nor its results. */
function drop(given: Feeds, feeds: Feeds, results: Feeds): void {
  if (given !== feeds) {
    Object.entries(given)
      .filter(([name]) => !(name in results))
      .forEach(([, tensor]) => tensor.dispose());
  }
}
