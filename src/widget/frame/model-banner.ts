/** The banner that tells of wrong files of SAM's model, and what suggests in its place. */
import { button } from '../base/dom';
import { trans } from '../base/translation';
import { LabellerState } from '../state/labeller-state';
import { Banner, IBannerContent } from './banner';

export class ModelBanner extends Banner {
  constructor(state: LabellerState) {
    // Below: it comes once SAM is ready.
    super(state, { name: 'model-problem', follows: ['session', 'status'], below: true, warning: true });
    this.refresh();
  }

  protected override content(): IBannerContent | null {
    const problem = this._state.modelProblem;
    if (!problem) {
      return null;
    }
    const { text, chosen } = problem;
    return {
      text,
      about: text,
      ...(chosen !== null && {
        actions: () => [
          button({
            testid: 'sambalab-model-again',
            title: trans.__('Choose %1 again, once its files are mended', chosen),
            text: trans.__('Choose it again'),
            run: () => void this._state.chooseModel(chosen)
          })
        ]
      })
    };
  }
}
