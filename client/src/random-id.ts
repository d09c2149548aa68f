// Ids that no other device makes.

interface RandomSource {
  readonly randomUUID?: () => string;
  readonly getRandomValues?: (into: Uint32Array<ArrayBuffer>) => Uint32Array;
}

/** 128 random bits: of the platform where it has some, which old and insecure pages do not. */
export const randomId = (): string => {
  const source = (globalThis as { readonly crypto?: RandomSource }).crypto;
  if (source?.randomUUID) return source.randomUUID();
  const words =
    source?.getRandomValues?.(new Uint32Array(4)) ?? Array.from({ length: 4 }, () => Math.random() * 2 ** 32);
  return Array.from(words, (word) => Math.trunc(word).toString(16).padStart(8, '0')).join('');
};
