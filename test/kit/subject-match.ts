// The test's own reading of NATS filters, so that a fault in the product's matcher cannot hide in the checker.

/** `*` is exactly one token, a final `>` one or more. */
export function matchesSubject(filter: string, subject: string): boolean {
  const pattern = filter
    .split('.')
    .map((token) => (token === '*' ? '[^.]+' : token === '>' ? '.+' : token.replaceAll(/[^\w-]/g, String.raw`\$&`)))
    .join(String.raw`\.`);
  return compiled(pattern).test(subject);
}

const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  let known = patterns.get(pattern);
  if (!known) patterns.set(pattern, (known = new RegExp(`^${pattern}$`, 'u')));
  return known;
}
