import { adapterName, isSoftwareAdapter } from '../gpu-adapters';

describe('isSoftwareAdapter', () => {
  const info = { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false };

  it('recognises software adapters', () => {
    expect(isSoftwareAdapter({ ...info, vendor: 'google', architecture: 'swiftshader' })).toBe(true);
    expect(isSoftwareAdapter({ ...info, description: 'llvmpipe (LLVM 15.0.6, 256 bits)' })).toBe(true);
    expect(isSoftwareAdapter({ ...info, description: 'Microsoft Basic Render Driver' })).toBe(true);
    expect(isSoftwareAdapter({ ...info, vendor: 'nobody', isFallbackAdapter: true })).toBe(true);
  });

  it('does not take real GPUs for software', () => {
    expect(isSoftwareAdapter({ ...info, vendor: 'nvidia', architecture: 'hopper', description: 'NVIDIA H200' })).toBe(
      false
    );
    expect(isSoftwareAdapter({ ...info, vendor: 'apple', architecture: 'metal-3' })).toBe(false);
    expect(isSoftwareAdapter({ ...info, vendor: 'intel', description: 'Intel(R) UHD Graphics 620' })).toBe(false);
  });
});

describe('adapterName', () => {
  it('prefers the name of the card to that of the driver', () => {
    const info = { vendor: 'nvidia', architecture: 'hopper', isFallbackAdapter: false };
    expect(adapterName({ ...info, device: 'nvidia-h200', description: 'NVIDIA: 580.159.04' })).toBe('nvidia-h200');
    expect(adapterName({ ...info, device: '0xc0de', description: 'SwiftShader driver' })).toBe('SwiftShader driver');
    expect(adapterName({ ...info, device: '', description: '' })).toBe('nvidia hopper');
  });
});
