import { BridgeError } from '../../../src/shared/errors';
import { decodeClassifier, encodeClassifier } from '../../core/classifier';
import { classifierFormats, convertClassifier, readClassifier } from '..';
import { applyToNoise, exampleClassifier } from '../../__tests__/support/classifiers';
import { randomSource } from '../../__tests__/support/engine';

const bytes = encodeClassifier(exampleClassifier());
const text = (value: string) => new TextEncoder().encode(value);

/** Read a file and apply its classifier, or see it refused; anything else fails the test. */
function outcomeOf(file: Uint8Array): 'refused' | 'read' {
  let json: Uint8Array;
  try {
    json = readClassifier(file);
  } catch (error) {
    expect(error).toBeInstanceOf(BridgeError);
    expect((error as BridgeError).code).toBe('invalid');
    return 'refused';
  }
  const classifier = decodeClassifier(json);
  const { probabilities } = applyToNoise(classifier);
  const classes = classifier.classes.length;
  for (let i = 0; i < probabilities!.length; i += classes) {
    const sum = probabilities!.subarray(i, i + classes).reduce((a, b) => a + b, 0);
    expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
  }
  return 'read';
}

/** A file with a few bytes changed, inserted, removed or doubled. */
function damaged(file: Uint8Array, random: () => number): Uint8Array {
  const pick = (n: number) => Math.floor(random() * n);
  let out = Buffer.from(file);
  for (let change = 0; change <= pick(3); change++) {
    const at = pick(out.length);
    const length = 1 + pick(20);
    const [before, part, after] = [out.subarray(0, at), out.subarray(at, at + length), out.subarray(at + length)];
    switch (pick(6)) {
      case 0:
        out[at] = pick(256);
        break;
      case 1:
        out[at]! ^= 1 << pick(8);
        break;
      case 2:
        // A printable character.
        out[at] = 32 + pick(95);
        break;
      case 3:
        out = Buffer.concat([before, after]);
        break;
      case 4:
        out = Buffer.concat([before, part, part, after]);
        break;
      default:
        out = Buffer.concat([before, Buffer.from(String(pick(2) ? 2 ** pick(64) : -pick(9))), after]);
    }
  }
  return pick(20) ? out : out.subarray(0, pick(out.length));
}

/** A JSON file with a byte inside one of its binary fields changed, which base64 and its length let through. */
function damagedInside(json: Uint8Array, random: () => number): Uint8Array {
  const pick = (n: number) => Math.floor(random() * n);
  const file = JSON.parse(new TextDecoder().decode(json)) as Record<string, Record<string, unknown>>;
  const field = ['feature', 'threshold', 'left', 'right', 'votes', 'values'][pick(6)]!;
  const part = file[field === 'values' ? 'cuts' : 'trees']!;
  const data = Buffer.from(part[field] as string, 'base64');
  data[pick(data.length)] = pick(256);
  part[field] = data.toString('base64');
  return text(JSON.stringify(file));
}

describe("a classifier's file", () => {
  it.each(['json', 'onnx', 'ml-random-forest'] as const)('is recognised by its content: %s', format => {
    const back = decodeClassifier(readClassifier(convertClassifier(bytes, format)));
    expect(applyToNoise({ ...back, cuts: back.cuts }).prediction!.length).toBe(64);
    expect(back.classes).toEqual(exampleClassifier().classes);
    expect(back.features).toEqual(exampleClassifier().features);
  });

  it('names the existing formats if another is asked for', () => {
    expect(() => convertClassifier(bytes, 'pickle')).toThrow(
      /no classifier format pickle; the formats are json, onnx, ml-random-forest\./
    );
  });

  it('names each format once, with an extension', () => {
    const formats = classifierFormats();
    expect(new Set(formats.map(({ name }) => name)).size).toBe(formats.length);
    for (const { name, extension, mediaType, reads, writes } of formats) {
      expect({ name, extension, mediaType, either: reads || writes }).toEqual({
        name,
        extension: expect.stringMatching(/^\.[a-z]+$/),
        mediaType: expect.stringMatching(/^application\//),
        either: true
      });
    }
  });

  it.each(['json', 'onnx'] as const)('is the same to the last bit after a round trip through %s', format => {
    expect(readClassifier(convertClassifier(bytes, format))).toEqual(bytes);
  });

  it('may begin with a byte order mark and blank lines', () => {
    expect(readClassifier(Buffer.concat([Uint8Array.of(0xef, 0xbb, 0xbf), text('\n\n '), bytes]))).toEqual(bytes);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /none of the formats JSON, ONNX/],
    ['an image', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13), /none of the formats JSON, ONNX/],
    ['a model of something else', Uint8Array.of(8, 8, 18, 1, 65), /metadata have no sambalab\.classifier/],
    [
      'a length beyond the end',
      Uint8Array.of(8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
      /none of the formats/
    ],
    ['a number that never ends', new Uint8Array(64).fill(0xff), /none of the formats/],
    ['JSON of something else', text('{"a": 1}'), /format/],
    ['brackets alone', text('{"a":'.repeat(500_000)), /more than \d+ values/]
  ])('is refused if it is %s', (_, file, message) => {
    expect(() => readClassifier(file)).toThrow(message);
    expect(() => readClassifier(file)).toThrow(BridgeError);
  });

  it('takes no memory for nodes that it only claims to have', () => {
    const file = JSON.parse(new TextDecoder().decode(bytes)) as { trees: { counts: number[] } };
    file.trees.counts = file.trees.counts.map(() => 2 ** 28);
    expect(() => readClassifier(text(JSON.stringify(file)))).toThrow(
      /trees\.feature is not base64 of 2147483648 bytes/
    );
  });

  it('is refused or can be applied after any of 11,000 damages', () => {
    const random = randomSource(77);
    const small = encodeClassifier(
      exampleClassifier({ features: { sigmas: [1], families: { gaussian: {} } }, cuts: 30 })
    );
    const model = convertClassifier(small, 'onnx');
    const package_ = convertClassifier(small, 'ml-random-forest');
    const counts = { refused: 0, read: 0 };
    for (let round = 0; round < 2500; round++) {
      counts[outcomeOf(damaged(small, random))]++;
      counts[outcomeOf(damagedInside(small, random))]++;
      counts[outcomeOf(damaged(model, random))]++;
      counts[outcomeOf(damaged(model, random))]++;
    }
    for (let round = 0; round < 1000; round++) {
      counts[outcomeOf(damaged(package_, random))]++;
    }
    expect(counts.refused + counts.read).toBe(11_000);
    expect(counts.refused).toBeGreaterThan(3000);
    expect(counts.read).toBeGreaterThan(100);
  }, 300_000);
});
