// All sessions of a pod: accepting, sweeping deadlines, resetting those whose stream changed, draining.
import type { CloseReason, ResetReason } from '@sluice/schemas';
import type { Tail } from '../log/tail.ts';
import type { Connection, ConnectionHandler, Upgrade } from '../transports/transport.ts';
import type { Pod } from './pod.ts';
import { Agenda } from './agenda.ts';
import { Session, type SessionHost } from './session.ts';

export class Sessions implements SessionHost {
  readonly #newId: () => string;
  readonly #sessions = new Set<Session>();
  readonly #agenda = new Agenda<Session>();
  #pod: Pod | undefined;
  #sweptMs = 0;
  acceptedCount = 0;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  /** From here on connections may be accepted. */
  open(pod: Pod): void {
    this.#pod = pod;
  }

  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }

  accept(connection: Connection, upgrade: Upgrade): ConnectionHandler {
    const session = new Session(this.#pod!, connection, upgrade, this.#newId(), this);
    this.#sessions.add(session);
    this.acceptedCount++;
    return session;
  }

  /** Twice a second: polls who waits for the pod's head, and does what is due. */
  sweep(nowMs: number): void {
    for (const subscription of [...(this.#pod?.waiting ?? [])]) subscription.poll(nowMs);
    const due = this.#agenda.take(nowMs);
    if (nowMs < this.#sweptMs) for (const session of this.#sessions) session.clockWasSetBack(this.#sweptMs - nowMs);
    this.#sweptMs = nowMs;
    for (const session of due) session.sweep(nowMs);
  }

  /** A stream is another one than it was: whoever reads it starts again. */
  reset(tail: Tail, reason: ResetReason): void {
    for (const session of this.#sessions) {
      for (const subscription of [...session.subscriptions]) {
        if (subscription.channel.streams.some((stream) => stream.tail === tail)) subscription.reset(reason);
      }
      session.wake();
    }
  }

  drain(withinMs: number): void {
    for (const session of this.#sessions) session.drain(withinMs);
  }

  closeAll(reason: CloseReason): void {
    for (const session of [...this.#sessions]) session.close(reason);
  }

  due(session: Session, atMs: number): void {
    this.#agenda.put(session, atMs);
  }

  closed(session: Session): void {
    this.#agenda.remove(session);
    this.#sessions.delete(session);
  }
}
