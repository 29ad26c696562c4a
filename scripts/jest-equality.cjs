/**
 * Compares typed arrays in tests by their bytes: Jest compares element by element, which takes seconds for a million. Where bytes differ, Jest's own
 * comparison decides and shows the difference, so the result is always Jest's.
 */
const bytesOf = view => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

expect.addEqualityTesters([
  (a, b) =>
    ArrayBuffer.isView(a) &&
    ArrayBuffer.isView(b) &&
    Object.prototype.toString.call(a) === Object.prototype.toString.call(b) &&
    a.constructor.name === b.constructor.name &&
    bytesOf(a).equals(bytesOf(b))
      ? true
      : undefined
]);
