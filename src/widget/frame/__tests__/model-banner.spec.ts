/** @jest-environment jsdom */
import '../../__tests__/page';
import { closeAll, open, settle, until } from '../../state/__tests__/fake-sidecar';
import { ModelBanner } from '../model-banner';

afterEach(closeAll);

describe('ModelBanner', () => {
  it('names the chosen model whose files are wrong while MobileSAM suggests, and chooses it again once they are mended', async () => {
    const why = 'The file /models/mine/decoder.onnx is not the decoder of SAM ViT-B: it is cut short.';
    const { state, sidecar, parts } = await open(undefined, undefined, 1, fake => {
      fake.samModel = '/models/mine';
      fake.brokenModel = why;
    });
    const banner = new ModelBanner(state);
    expect(sidecar.samModel).toBeUndefined(); // the choice is MobileSAM, for Python as well
    expect(parts.embedding.state).toMatchObject({ state: 'ready', device: { model: 'mobile-sam' } });
    expect(banner.node.querySelector('[role="alert"]')!.textContent).toBe(
      `MobileSAM suggests here now, since the model of this session fails. ${why}`
    );
    const again = () => banner.node.querySelector<HTMLButtonElement>('[data-testid="sambalab-model-again"]')!.click();
    again(); // not mended yet
    await until(() => sidecar.methods.filter(method => method === 'sam.choose').length === 3);
    await until(() => parts.embedding.state.state === 'ready');
    expect([banner.isHidden, sidecar.samModel]).toEqual([false, undefined]);
    sidecar.brokenModel = null;
    again();
    await until(() => parts.embedding.state.state === 'ready' && sidecar.samModel === '/models/mine');
    await settle();
    expect(banner.isHidden).toBe(true);
    banner.dispose();
  });

  it('names files that were passed over, until it is dismissed', async () => {
    const passedOver = 'The file /models/encoder.onnx is not the encoder of MobileSAM: it is empty.';
    const { state } = await open(undefined, undefined, 3, fake => (fake.passedOver = passedOver));
    const banner = new ModelBanner(state);
    expect(banner.node.textContent).toBe(passedOver);
    expect(banner.node.querySelector('[data-testid="sambalab-model-again"]')).toBeNull();
    banner.node.querySelector('button')!.click();
    expect(banner.isHidden).toBe(true);
    state.setSlice(1);
    await until(() => state.parts!.embedding.state.state === 'computing');
    await until(() => state.parts!.embedding.state.state === 'ready');
    expect(banner.isHidden).toBe(true);
    banner.dispose();
  });
});
