/** The documents point at files that exist: every relative link, and every path of this repository in backticks. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(__dirname, '../..');
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`)
];

/** What the builds make or a test run leaves is not in a fresh clone. */
const MADE = /^(sambalab\/(server|labextension)|engine\/build|examples\/out)/;
const PATH = /`((?:src|engine|kernel-server|sambalab|scripts|schema|ui-tests|examples|docs|benchmarks)\/[\w./-]+)`/g;

/** GitHub's anchor of a heading. */
const anchor = heading =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');

describe.each(documents)('%s', document => {
  const text = readFileSync(join(root, document), 'utf8');

  it('names files and folders that exist', () => {
    const paths = [...text.matchAll(PATH)].map(([, path]) => path);
    expect(paths.filter(path => !MADE.test(path) && !existsSync(join(root, path)))).toEqual([]);
  });

  it('links to files and headings that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => link);
    const broken = links.filter(link => {
      const [path, heading] = link.split('#');
      const target = path ? join(root, dirname(document), path) : join(root, document);
      if (!existsSync(target)) {
        return true;
      }
      const headings = heading
        ? [...readFileSync(target, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title]) => anchor(title))
        : [];
      return heading !== undefined && !headings.includes(decodeURIComponent(heading));
    });
    expect(broken).toEqual([]);
  });
});
