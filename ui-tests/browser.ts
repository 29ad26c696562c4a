/** How the browser is started. It is the one that PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH names, else Playwright's own. */
import type { LaunchOptions } from '@playwright/test';

/**
 * Options of the browser.
 *
 * @param gpu `off`, or `software`: WebGPU on SwiftShader, which Chromium brings along. It computes as a GPU does, a hundred times as slowly as a processor.
 */
export function browser(gpu: 'off' | 'software' = 'off'): LaunchOptions {
  const executablePath = process.env['PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH'];
  return {
    ...(executablePath ? { executablePath } : {}),
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(gpu === 'off'
        ? ['--disable-gpu']
        : ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan']),
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync'
    ]
  };
}
