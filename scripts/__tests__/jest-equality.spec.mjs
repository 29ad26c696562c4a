describe('toEqual of typed arrays', () => {
  const values = Float32Array.of(1, NaN, 3);

  it('holds for equal values, also within objects and in other buffers', () => {
    expect({ values: Float32Array.of(0, ...values).subarray(1) }).toEqual({ values });
  });

  it.each([
    ['another value', Float32Array.of(1, NaN, 4)],
    ['fewer values', values.subarray(1)],
    ['another type of the same bytes', new Uint32Array(values.buffer)],
    ['a list', [1, NaN, 3]]
  ])('does not hold for %s', (_, other) => {
    expect(other).not.toEqual(values);
    expect(() => expect({ other }).toEqual({ other: values })).toThrow(/toEqual/);
  });
});
