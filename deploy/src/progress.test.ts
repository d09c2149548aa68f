import { expect, test } from 'vitest';
import { createProgressWriter } from './progress.ts';

function createOutput(isTTY: boolean): { isTTY: boolean; text: string; write(text: string): void } {
  return {
    isTTY,
    text: '',
    write(text) {
      this.text += text;
    },
  };
}

test('on a terminal an update overwrites the one before and leaves nothing', () => {
  const output = createOutput(true);
  const progress = createProgressWriter(output, () => 0);

  progress.report({ kind: 'step', text: 'Building' });
  progress.report({ kind: 'update', text: '1' });
  progress.report({ kind: 'update', text: '2' });
  progress.end();

  expect(output.text).toBe('Building\n  1\r\x1b[K  2\r\x1b[K');
});

test('in a log updates appear now and then, without control characters', () => {
  const output = createOutput(false);
  let now = 0;
  const progress = createProgressWriter(output, () => now);

  progress.report({ kind: 'step', text: 'Building' });
  for (const second of [1, 5, 10, 12, 21]) {
    now = second * 1_000;
    progress.report({ kind: 'update', text: `at ${second}` });
  }

  expect(output.text).toBe('Building\n  at 10\n  at 21\n');
});
