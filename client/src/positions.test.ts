import { expect, test } from 'vitest';
import { createMemoryPositions } from './positions.ts';

test('a position is kept per channel until it is deleted', () => {
  const positions = createMemoryPositions();

  positions.save('order:o-1', 'k~e1.5.1');
  positions.save('order:o-2', 'k~e1.6.1');
  positions.delete('order:o-2');

  expect(positions.load('order:o-1')).toBe('k~e1.5.1');
  expect(positions.load('order:o-2')).toBeUndefined();
});

test('memory is bounded: the channel saved longest ago is forgotten', () => {
  const positions = createMemoryPositions(2);

  positions.save('a', 'k~e.1.1');
  positions.save('b', 'k~e.2.1');
  positions.save('a', 'k~e.3.1');
  positions.save('c', 'k~e.4.1');

  expect(['a', 'b', 'c'].map((channel) => positions.load(channel))).toEqual(['k~e.3.1', undefined, 'k~e.4.1']);
});
