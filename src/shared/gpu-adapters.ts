/** What adapters of WebGPU, in Node and in browsers, say of themselves. */

/** A WebGPU adapter's description of itself. */
export interface IAdapterInfo {
  vendor: string;
  architecture: string;
  device: string;
  description: string;
  isFallbackAdapter: boolean;
}

/** Whether an adapter is software that imitates a GPU, which is always slower than code for the CPU. */
export function isSoftwareAdapter(info: IAdapterInfo): boolean {
  const names = [info.vendor, info.architecture, info.device, info.description].join(' ');
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bcpu\b/i.test(names);
}

/** An adapter's name for users. `device` may be a hexadecimal number, `description` only the driver and its version. */
export function adapterName(info: IAdapterInfo): string {
  const device = /^0x[0-9a-f]+$/i.test(info.device) ? '' : info.device;
  return device || info.description || `${info.vendor} ${info.architecture}`.trim();
}
