/** Checks what a page shows with axe-core. */
import { createRequire } from 'node:module';
import type { Locator, Page } from '@playwright/test';

interface IViolation {
  id: string;
  help: string;
  nodes: { target: unknown[]; failureSummary?: string }[];
}

type Axe = {
  axe: { run(context: Element, options: object): Promise<{ violations: IViolation[] }> };
};

const SOURCE = createRequire(__filename).resolve('axe-core/axe.min.js');

/** All violations in an element and what it contains, one text each; none is right. */
export async function violations(page: Page, root: Locator): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) {
    await page.addScriptTag({ path: SOURCE });
  }
  const found = await root.evaluate(
    async node => (await (window as unknown as Axe).axe.run(node, { resultTypes: ['violations'] })).violations
  );
  return found.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}\n${target.join(' ')}\n${failureSummary ?? ''}`)
  );
}
