/** Checks what a page shows with axe-core. */
import { createRequire } from 'node:module';
import type { Locator, Page } from '@playwright/test';

interface IViolation {
  id: string;
  help: string;
  nodes: { target: unknown[]; failureSummary?: string }[];
}

type Axe = {
  axe: { run(context: Element): Promise<{ violations: IViolation[]; passes: { id: string }[] }> };
};

const SOURCE = createRequire(__filename).resolve('axe-core/axe.min.js');

/**
 * All violations in an element and what it contains, one text each; none is right. Throws if axe has not checked the rules `sure`.
 */
export async function violations(
  page: Page,
  root: Locator,
  sure: readonly string[] = ['button-name', 'color-contrast']
): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) {
    await page.addScriptTag({ path: SOURCE });
  }
  const { found, passed } = await root.evaluate(async node => {
    const { violations, passes } = await (window as unknown as Axe).axe.run(node);
    return { found: violations, passed: passes.map(({ id }) => id) };
  });
  const missing = sure.filter(rule => !passed.includes(rule));
  if (missing.length > 0) {
    throw new Error(`axe has not checked ${missing.join(', ')}, only ${passed.join(', ') || 'nothing'}.`);
  }
  return found.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}\n${target.join(' ')}\n${failureSummary ?? ''}`)
  );
}
