// How deep does this JSON text nest? Counted before JSON.parse, since printing a value that nests 200,000 levels deep
// overflows the stack although parsing it does not.

/** True if brackets outside strings never nest deeper than `maxDepth`. Says nothing else about the text. */
export const isShallowJson = (bytes: Uint8Array, maxDepth: number): boolean => {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) return false;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return true;
};
