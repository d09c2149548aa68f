// Listeners to events by type, on whatever channel they come. An order's status comes on `order:` and on `user:`; who
// listens to the client hears it once, from the channel that was first.
import { Emitter, type ChannelEvent, type Listener } from './events.ts';

/** How many events are remembered: as far as two channels of one stream may be apart and still be told apart. */
const MAX_REMEMBERED = 4_096;

export class Everywhere {
  readonly #emitter: Emitter;
  /** `EPOCH SEQUENCE TIME`, oldest first. */
  readonly #heard = new Set<string>();

  constructor(onThrow: (cause: unknown, name: string) => void) {
    this.#emitter = new Emitter(onThrow);
  }

  get hasListeners(): boolean {
    return !this.#emitter.isEmpty;
  }

  on<Value>(name: string, listener: Listener<Value>): () => void {
    return this.#emitter.on(name, listener);
  }

  hear(event: ChannelEvent): void {
    if (!this.hasListeners || (!event.isEphemeral && !this.#isNew(event))) return;
    this.#emitter.emit(event.type, event);
    this.#emitter.emit('event', event);
  }

  /** What follows a reset is to be folded from the beginning, also if it was heard before. */
  reset(): void {
    this.#heard.clear();
  }

  // The time belongs to the name: a store that was rolled back gives sequences away a second time.
  #isNew({ epoch, sequence, timeMs }: Extract<ChannelEvent, { isEphemeral: false }>): boolean {
    const key = `${epoch} ${sequence} ${timeMs}`;
    if (this.#heard.has(key)) return false;
    this.#heard.add(key);
    if (this.#heard.size > MAX_REMEMBERED) this.#heard.delete(this.#heard.values().next().value!);
    return true;
  }
}
