import { describe, expect, test } from 'vitest';
import { ReadBudget } from './read-budget.ts';

/** A read that ends when it is told to. */
class Gate {
  started = false;
  open: () => void = () => {};
  readonly read = (): Promise<string> => {
    this.started = true;
    return new Promise((resolve) => {
      this.open = () => resolve('read');
    });
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the budget of cold reads', () => {
  test('lets so many reads of a stream run at once, the others wait in order', async () => {
    const budget = new ReadBudget({ readsPerStream: 2, maxBytes: 100, maxWaiting: 10 });
    const gates = [new Gate(), new Gate(), new Gate(), new Gate()];

    const reads = gates.map((gate) => budget.run('A', 1, gate.read));
    const other = new Gate();
    const otherRead = budget.run('B', 1, other.read);

    expect(gates.map((gate) => gate.started)).toEqual([true, true, false, false]);
    expect(other.started).toBe(true);
    expect(budget.waiting('A')).toBe(2);
    gates[1]!.open();
    await settled();
    expect(gates.map((gate) => gate.started)).toEqual([true, true, true, false]);
    gates[0]!.open();
    await settled();
    for (const gate of [...gates, other]) gate.open();
    expect(await Promise.all([...reads, otherRead])).toEqual(Array.from({ length: 5 }, () => 'read'));
    expect(budget.bytesInFlight).toBe(0);
  });

  test('counts bytes over all streams, and lets a read larger than all of them run alone', async () => {
    const budget = new ReadBudget({ readsPerStream: 9, maxBytes: 10, maxWaiting: 10 });
    const large = new Gate();
    const small = new Gate();

    const first = budget.run('A', 1_000, large.read);
    const second = budget.run('B', 1, small.read);

    expect([large.started, small.started]).toEqual([true, false]);
    large.open();
    await first;
    await settled();
    expect(small.started).toBe(true);
    small.open();
    await second;
  });

  test('refuses at once if too many wait', async () => {
    const budget = new ReadBudget({ readsPerStream: 1, maxBytes: 10, maxWaiting: 1 });
    const gates = [new Gate(), new Gate(), new Gate()];

    const [first, second, third] = gates.map((gate) => budget.run('A', 1, gate.read));

    expect(await third).toBeUndefined();
    gates[0]!.open();
    await first;
    await settled();
    gates[1]!.open();
    expect(await second).toBe('read');
  });

  test('gets its room back from a read that fails', async () => {
    const budget = new ReadBudget({ readsPerStream: 1, maxBytes: 10, maxWaiting: 1 });

    await expect(budget.run('A', 10, () => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(await budget.run('A', 10, () => Promise.resolve('read'))).toBe('read');
  });

  test('makes one read of equal ones, as long as it is under way', async () => {
    const budget = new ReadBudget({ readsPerStream: 1, maxBytes: 10, maxWaiting: 1 });
    let reads = 0;
    const gate = new Gate();
    const read = (): Promise<string> => {
      reads += 1;
      return gate.read();
    };

    const both = [budget.share('key', read), budget.share('key', read)];
    gate.open();

    expect(await Promise.all(both)).toEqual(['read', 'read']);
    expect(reads).toBe(1);
    const again = budget.share('key', read);
    gate.open();
    await again;
    expect(reads).toBe(2);
  });
});
