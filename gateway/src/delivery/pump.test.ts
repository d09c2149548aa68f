import { describe, expect, test } from 'vitest';
import { Pump, type Pumped } from './pump.ts';

/** Each turn of a session takes one millisecond. */
const createBench = (
  sliceMs = 4,
): {
  pump: Pump;
  log: string[];
  tick: () => void;
  session: (name: string, turns: number) => Pumped;
  pending: () => number;
} => {
  let nowMs = 0;
  let deferred: (() => void)[] = [];
  const log: string[] = [];
  const pump = new Pump({ monotonicMs: () => nowMs, defer: (callback) => deferred.push(callback), sliceMs });
  return {
    pump,
    log,
    pending: () => deferred.length,
    tick: () => {
      const callbacks = deferred;
      deferred = [];
      for (const callback of callbacks) callback();
      log.push('|');
    },
    session: (name, turns) => ({
      turn: () => {
        nowMs++;
        log.push(name);
        return --turns > 0;
      },
    }),
  };
};

describe('the pump', () => {
  test('gives each session a turn before any gets its second', () => {
    const { pump, log, tick, session } = createBench(100);
    for (const one of [session('a', 3), session('b', 1), session('c', 2)]) pump.request(one);

    tick();

    expect(log.join('')).toBe('abcaca|');
    expect(pump.length).toBe(0);
  });

  test('hands the process back after a slice, and goes on where it stopped', () => {
    const { pump, log, tick, session, pending } = createBench(4);
    for (const name of 'abcdef') pump.request(session(name, 2));

    for (let i = 0; i < 4; i++) tick();

    expect(log.join('')).toBe('abcd|efab|cdef||');
    expect(pending()).toBe(0);
  });

  test('a session that asks twice has one turn, one that asks during its turn has another', () => {
    const { pump, log, tick, session } = createBench();
    const a = session('a', 1);
    pump.request(a);
    pump.request(a);
    let asks = 2;
    const b: Pumped = {
      turn: () => {
        log.push('b');
        if (--asks > 0) pump.request(b);
        return false;
      },
    };
    pump.request(b);

    tick();
    tick();

    expect(log.filter((each) => each !== '|').join('')).toBe('abb');
    expect(pump.length).toBe(0);
  });

  test('a session that asks in its turn and has more to do is queued once', () => {
    const { pump, log, tick } = createBench();
    let turns = 0;
    const a: Pumped = {
      turn: () => {
        log.push('a');
        turns++;
        if (turns < 4) pump.request(a);
        return turns < 4;
      },
    };
    pump.request(a);

    for (let i = 0; i < 5; i++) tick();

    expect(log.filter((each) => each === 'a').length).toBe(4);
    expect(pump.length).toBe(0);
  });

  test('a request from outside while nothing is scheduled schedules once', () => {
    const { pump, pending, session } = createBench();
    for (const name of 'abc') pump.request(session(name, 1));

    expect(pending()).toBe(1);
  });
});
