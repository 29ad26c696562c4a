/** Trains the classifier; shows what the next training uses, its progress, and the score of the last one. */
import { ClassifierInfo, featureNames, featureSpec, scoreTable } from '../../shared';
import { button, element, hide, setDisabled, setText } from '../base/dom';
import { findCommand } from '../commands';
import { nameKeys, titleWithKey } from '../commands/titles';
import { channelsText, forestChoice, sameFeatures, sameLearner, treesText } from '../state/feature-choice';
import { InvalidFields, Note } from './fields';
import { progressBar } from './progress-bar';
import { presetTitle } from './forest-parameters';
import { percent } from './scores-tables';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';
import { trans } from '../base/translation';

export const trainingSection: ISection = { place: 'bottom', create: options => new TrainingSection(options) };

export class TrainingSection extends StateWidget {
  constructor({ state, invalid }: ISectionOptions) {
    super(state, ['status', 'session', 'features']);
    this._invalid = invalid;
    invalid.changed.connect(() => this.refresh(), this);
    this.addClass('sambalab-training');
    this._train = button({
      testid: 'sambalab-train',
      title: titleWithKey(findCommand('train')),
      icon: 'train',
      text: trans.__('Train'),
      className: 'sambalab-primary',
      run: () => void state.train()
    });
    this._live = button({
      testid: 'sambalab-live',
      title: titleWithKey(findCommand('toggle-live')),
      icon: 'live',
      text: trans.__('Live'),
      className: 'sambalab-outlined sambalab-live',
      run: () => void state.setLive(!state.live.on)
    });
    nameKeys(this._train, findCommand('train'));
    nameKeys(this._live, findCommand('toggle-live'));
    this._cancel = button({
      testid: 'sambalab-cancel',
      title: trans.__('Cancel the training'),
      icon: 'stop',
      text: trans.__('Cancel'),
      run: () => void state.cancelTraining()
    });
    this._bar = progressBar('sambalab-progress', trans.__('Training'));
    this._text = element('span', { role: 'status', 'data-testid': 'sambalab-training-note' });
    this._dismiss = button({
      testid: 'sambalab-training-dismiss',
      title: trans.__('Dismiss'),
      icon: 'close',
      run: () => {
        state.training.dismiss();
        state.live.dismiss();
      }
    });
    this._note = element('div', { class: 'sambalab-note' }, this._text, this._dismiss);
    this.node.append(
      element('div', { class: 'sambalab-button-row' }, this._train, this._live, this._cancel),
      this._bar.node,
      this._what.node,
      this._wrong.node,
      this._note
    );
    this.refresh();
  }

  protected override refresh(): void {
    const { session, training, live, connection, choice } = this._state;
    const state = training.state;
    const running = state.state === 'running';
    const round = live.state;
    const able = !!session?.imageReady && connection.state.state === 'connected';
    const slow = able && !running && round.state === 'working'; // without a connection no progress arrives
    setDisabled(this._train, running || !able);
    setDisabled(this._live, !able);
    this._live.setAttribute('aria-pressed', String(live.on));
    hide(this._cancel, !running && !slow, this._train);
    this._cancel.title = slow
      ? trans.__('Stop this round; the next stroke starts another')
      : running && !state.own
        ? trans.__('Cancel this training, which another view or Python started')
        : trans.__('Cancel the training');
    this._bar.set(running ? { fraction: state.fraction } : slow ? { fraction: round.fraction } : null);

    const forest = forestChoice(choice.forest);
    const channels = featureNames(choice.spec, session?.image.shape[3] ?? 1).length;
    const title = forest.changed ? trans.__('%1, changed', presetTitle(forest.preset)) : presetTitle(forest.preset);
    this._what.set(trans.__('Trees: %1 · %2 · %3', title, treesText(forest.params), channelsText(channels)));
    const sections = this._invalid.sections.join(', ');
    this._wrong.set(sections && trans.__('Invalid values in %1 are not used.', sections), 'error');

    const classifier = session?.segmentation?.classifier;
    const failure = state.state === 'failed' ? state.message : round.state === 'failed' ? round.message : null;
    const failed = failure !== null;
    const waits = live.on && !running ? this._waits() : '';
    setText(this._text, failure ?? (waits || (!running && classifier ? this._result(classifier) : '')));
    const note = this._text.textContent;
    this._note.dataset['kind'] = failed ? 'error' : 'plain';
    hide(this._dismiss, !failed, this._train);
    hide(this._note, note === '', this._train);
  }

  /** Why live segmentation has not started; '' if it has. */
  private _waits(): string {
    const { labels, classes } = this._state.session!;
    const labelled = classes.filter(({ id }) => (labels.counts[id] ?? 0) > 0);
    if (labelled.length >= 2) {
      return '';
    }
    return labelled.length === 0
      ? trans.__('Live starts once two classes have labels.')
      : trans.__('Live waits for labels of a second class; so far only “%1” has any.', labelled[0]!.name);
  }

  /** The classifier's score, and the changes since it was trained. */
  private _result({ oobScore, scores, samples, labelsVersion, spec, forest, note }: ClassifierInfo): string {
    const { session, choice, live } = this._state;
    const held = scores?.source === 'held-out' ? scoreTable(scores.confusion).accuracy : null;
    const parts = [
      oobScore !== null
        ? trans.__('Out-of-bag score %1 %', percent(oobScore))
        : held !== null
          ? trans.__('Held-out score %1 %', percent(held))
          : trans.__('Trained on %1 pixels.', samples.toLocaleString())
    ];
    if (note) {
      parts.push(note);
    }
    if (labelsVersion === 0) {
      parts.push(trans.__('loaded from a file'));
    }
    if (live.on && !live.left) {
      return parts.join(' · '); // a live round is learning the changes
    }
    if (labelsVersion !== 0 && labelsVersion !== session!.labels.version) {
      parts.push(trans.__('labels changed since'));
    }
    if (labelsVersion !== 0 && session!.segmentation?.learnedElsewhere) {
      parts.push(trans.__('region changed since'));
    }
    if (spec && !known(() => sameFeatures(featureSpec(spec), choice.spec))) {
      parts.push(trans.__('features changed since'));
    }
    if (forest && !sameLearner(forest, forestChoice(choice.forest).params)) {
      parts.push(trans.__('trees changed since'));
    }
    return parts.join(' · ');
  }

  private readonly _train: HTMLButtonElement;
  private readonly _live: HTMLButtonElement;
  private readonly _cancel: HTMLButtonElement;
  private readonly _bar: ReturnType<typeof progressBar>;
  private readonly _what = new Note({ testid: 'sambalab-training-what' });
  private readonly _note: HTMLElement;
  private readonly _wrong = new Note({ testid: 'sambalab-training-wrong', announced: true });
  private readonly _text: HTMLElement;
  private readonly _dismiss: HTMLButtonElement;
  private readonly _invalid: InvalidFields;
}

/** The value of `read`; undefined if it throws, as for a spec that this version does not know. */
function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
