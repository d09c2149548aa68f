// The processes that belong together: stopped in the reverse of their order, and none of them may die alone.

import type { Guard } from '../guard.ts';
import type { Part } from './part.ts';

export interface PartExit {
  readonly part: Part;
  readonly how: string;
}

export class Stack {
  readonly #parts: Part[] = [];
  readonly #guard: Guard;
  #isStopping = false;
  #reportExit: (exit: PartExit) => void = () => undefined;

  /** Settles when the first part ends by itself. */
  readonly firstExit: Promise<PartExit> = new Promise((resolve) => {
    this.#reportExit = resolve;
  });

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  /** False if the stack is being stopped; the part is stopped at once then. */
  async add(part: Part): Promise<boolean> {
    this.#guard.watch(part.pid);
    void this.#watchExit(part);
    if (this.#isStopping) {
      await part.stop();
      return false;
    }
    this.#parts.push(part);
    return true;
  }

  async #watchExit(part: Part): Promise<void> {
    const how = await part.exited;
    this.#guard.forget(part.pid);
    if (!this.#isStopping) this.#reportExit({ part, how });
  }

  /** Newest first: those who use a server end before it. */
  async stop(onStop: (name: string) => void): Promise<void> {
    this.#isStopping = true;
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      onStop(part.name);
      await part.stop();
    }
    this.#guard.close();
  }
}
