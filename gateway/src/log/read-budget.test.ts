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

  // What was free was offered to streams in the order of a list: as long as anybody waited for the first, the second got none.
  test('gives what is free to who has waited longest, of whatever stream', async () => {
    const budget = new ReadBudget({ readsPerStream: 2, maxBytes: 10, maxWaiting: 10 });
    const started: string[] = [];
    const gates: Gate[] = [];
    const ask = (stream: string, bytes: number): void => {
      const gate = new Gate();
      void budget.run(stream, bytes, () => {
        started.push(stream);
        gates.push(gate);
        return gate.read();
      });
    };
    for (const stream of ['A', 'A', 'A', 'B']) ask(stream, 10);
    for (let i = 0; i < 4; i++) {
      ask('A', 10);
      gates.shift()!.open();
      await settled();
    }

    expect(started).toEqual(['A', 'A', 'A', 'B', 'A']);
  });

  test('lets no small read pass a large one that waits for bytes', async () => {
    const budget = new ReadBudget({ readsPerStream: 9, maxBytes: 10, maxWaiting: 10 });
    const gates = [new Gate(), new Gate(), new Gate()];
    const reads = [budget.run('A', 6, gates[0]!.read), budget.run('B', 8, gates[1]!.read)];

    reads.push(budget.run('C', 4, gates[2]!.read));

    expect(gates.map((gate) => gate.started)).toEqual([true, false, false]);
    for (const gate of gates) {
      gate.open();
      await settled();
    }
    expect(await Promise.all(reads)).toEqual(['read', 'read', 'read']);
    expect(budget.bytesInFlight).toBe(0);
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
