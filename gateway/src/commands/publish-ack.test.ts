import { expect, test } from 'vitest';
import { judgeAck } from './publish-ack.ts';

const bytes = (body: unknown): Uint8Array =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
const refusal = (err_code: number, description: string, code = 503): unknown => ({
  error: { code, err_code, description },
});

test.each([
  [
    { stream: 'CMD', seq: 7 },
    { kind: 'stored', stream: 'CMD', sequence: 7 },
  ],
  [refusal(10_077, 'maximum messages per subject exceeded'), { kind: 'taken_or_full', isSubjectLimit: true }],
  [refusal(10_077, 'maximum messages exceeded'), { kind: 'taken_or_full', isSubjectLimit: false }],
  [refusal(10_077, 'maximum bytes exceeded'), { kind: 'taken_or_full', isSubjectLimit: false }],
  [refusal(10_158, 'message id in flight', 409), { kind: 'in_flight' }],
  [refusal(10_023, 'insufficient resources'), { kind: 'full' }],
  [refusal(10_002, 'resource limits exceeded for account', 400), { kind: 'full' }],
  [refusal(10_167, 'too many requests', 429), { kind: 'full' }],
  [refusal(10_054, 'message size exceeds maximum allowed', 400), { kind: 'too_large' }],
  [refusal(10_008, 'JetStream system temporarily unavailable'), { kind: 'unavailable' }],
  [{}, { kind: 'unavailable' }],
  [{ stream: 'CMD' }, { kind: 'unavailable' }],
  [{ stream: 'CMD', seq: 0 }, { kind: 'unavailable' }],
  [{ stream: 'CMD', seq: '7' }, { kind: 'unavailable' }],
  ['+OK', { kind: 'unavailable' }],
  ['null', { kind: 'unavailable' }],
  ['', { kind: 'unavailable' }],
])('%j means %j', (body, verdict) => {
  expect(judgeAck(bytes(body))).toMatchObject(verdict);
});
