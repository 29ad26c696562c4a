import { BridgeError, featureSpec } from '../../../shared';
import { FakeLink } from '../../base/__tests__/fake-link';
import { Choice } from '../choice';

const tick = (milliseconds = 0) => new Promise(resolve => setTimeout(resolve, milliseconds));
const choices: Choice[] = [];
afterEach(() => choices.splice(0).forEach(choice => choice.dispose()));

function make(sendAfterMs = 5) {
  const sent: Choice.IOwn[] = [];
  const answers: { resolve(): void; reject(error: Error): void }[] = [];
  const choice = new Choice({
    sendAfterMs,
    link: new FakeLink(
      (_, { session, ...own }: Choice.IOwn & { session: string }) =>
        new Promise((resolve, reject) => {
          void session;
          sent.push(own);
          const answer = { features: { ...(own.features ?? {}) }, forest: own.forest ?? {} };
          answers.push({ resolve: () => resolve({ result: { choice: answer } }), reject });
        })
    )
  });
  // As LabellerState does it.
  choice.answered.connect((_, session) => choice.take(session.choice));
  choices.push(choice);
  return { choice, sent, answers };
}

describe('Choice', () => {
  it('shows a change at once and sends the last of several quick ones', async () => {
    const { choice, sent, answers } = make();
    choice.setFeatures(featureSpec({ sigmas: [1] }));
    choice.setFeatures(featureSpec({ sigmas: [1, 2] }));
    choice.setForest({ preset: 'deep' });
    expect(choice.spec.sigmas).toEqual([1, 2]);
    expect(sent).toEqual([]);
    await tick(30);
    expect(sent).toEqual([{ features: featureSpec({ sigmas: [1, 2] }), forest: { preset: 'deep' } }]);
    expect(choice.pending).toBe(true);
    answers[0]!.resolve();
    await tick();
    expect(choice.pending).toBe(false);
    expect(choice.spec.sigmas).toEqual([1, 2]);
  });

  it('takes the choice made in Python, but keeps a change that is not answered yet', async () => {
    const { choice, answers } = make();
    choice.take({ features: { set: 'weka' }, forest: { trees: 7 } });
    expect(choice.spec.sigmaScale).toBe(0.4);
    expect(choice.forest).toEqual({ trees: 7 });
    choice.setFeatures(featureSpec({ sigmas: [3] }));
    choice.take({ features: { sigmas: [9] }, forest: { trees: 8 } });
    expect(choice.spec.sigmas).toEqual([3]);
    expect(choice.forest).toEqual({ trees: 8 });
    await tick(30);
    answers[0]!.resolve();
    await tick();
    expect(choice.spec.sigmas).toEqual([3]);
  });

  it('keeps a change made before an earlier one is answered, and sends it too', async () => {
    const { choice, sent, answers } = make();
    choice.setFeatures(featureSpec({ sigmas: [3] }));
    const flushed = choice.flush();
    choice.setFeatures(featureSpec({ sigmas: [4] }));
    answers[0]!.resolve();
    await tick();
    expect(choice.spec.sigmas).toEqual([4]);
    expect(sent).toHaveLength(2);
    answers[1]!.resolve();
    await flushed;
    expect(choice.pending).toBe(false);
    expect(choice.spec.sigmas).toEqual([4]);
  });

  it('goes back to the session’s choice when a change is refused, says why, and rejects a training with it', async () => {
    const { choice, answers } = make();
    choice.take({ features: { sigmas: [5] }, forest: {} });
    choice.setFeatures(featureSpec({ sigmas: [6] }));
    const flushed = choice.flush();
    answers[0]!.reject(new BridgeError('invalid', 'Too many channels.'));
    await expect(flushed).rejects.toThrow('Too many channels.');
    expect(choice.spec.sigmas).toEqual([5]);
    expect(choice.error).toBe('Too many channels.');
    choice.setFeatures(featureSpec({ sigmas: [7] }));
    expect(choice.error).toBeNull();
  });

  it('clears the error of a refused change when a new choice arrives or the connection is back', async () => {
    const { choice, answers } = make();
    const refuse = async () => {
      choice.setFeatures(featureSpec({ sigmas: [6] }));
      const flushed = choice.flush().catch(() => undefined);
      answers.at(-1)!.reject(new BridgeError('disconnected', 'No connection.'));
      await flushed;
      expect(choice.error).toBe('No connection.');
    };
    await refuse();
    choice.take({ features: { sigmas: [5] }, forest: {} });
    expect(choice.error).toBeNull();
    await refuse();
    choice.dismiss();
    expect(choice.error).toBeNull();
    choice.take({ features: { wavelets: true }, forest: {} });
    choice.dismiss();
    expect(choice.error).toContain('wavelets');
  });

  it('reports features of the session that this version does not know, and keeps the features it showed', () => {
    const { choice } = make();
    choice.take({ features: { sigmas: [5] }, forest: {} });
    choice.take({ features: { wavelets: true }, forest: {} });
    expect(choice.error).toContain('wavelets');
    expect(choice.spec.sigmas).toEqual([5]);
  });

  it('sends the last change when it is disposed', () => {
    const { choice, sent } = make(10_000);
    choice.setForest({ trees: 3 });
    choice.dispose();
    expect(sent).toEqual([{ forest: { trees: 3 } }]);
  });
});
