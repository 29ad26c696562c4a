/** The memory of the page and of the sidecar, for measurements. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import { serverFolder } from './servers';

/** The resident memory of a process in MB: its own, and all with shared files. Linux only. */
function memory(pid: string | number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? NaN) / 1024);
  return `${mb('RssAnon')} MB own, ${mb('VmRSS')} MB resident`;
}

/** The worker's sidecar. */
function sidecar(): string | undefined {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .find(pid => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        return (
          command.includes('main.cjs') && environment.includes(`SAMBALAB_DATA_DIR=${join(serverFolder(), 'data')}`)
        );
      } catch {
        return false; // it ended, or is another user's
      }
    });
}

/** Print the memory of page and sidecar. */
export async function tellMemory(page: IJupyterLabPageFixture, when: string): Promise<void> {
  const cdp = await page.context().newCDPSession(page.context().pages()[0]!);
  await cdp.send('HeapProfiler.collectGarbage');
  await cdp.send('Performance.enable');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')!.value / 2 ** 20;
  const browser = await page.context().browser()!.newBrowserCDPSession();
  const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => memory(id));
  console.log(`memory ${when}: page ${renderers.join('; ')}, JavaScript ${heap.toFixed(0)} MB`);
  const pid = sidecar();
  console.log(`memory ${when}: sidecar ${pid ? memory(pid) : 'not found'}`);
}
