// Channels that the gateway joins the client to: which subscription stands for each of them, and which ones the
// application does not want. Knows names and subscriptions; sends nothing.
import type { ChannelSubscription } from './subscription.ts';

/** The id of what the gateway has subscribed by itself; requests of the client count from 1. */
export const JOINED_ID = 0;

/** Names that the application has left; of more the oldest are forgotten, and may be joined again. */
const MAX_LEFT = 1_000;

export class Joining {
  /** Those that came by joining, whoever has asked for them since. */
  readonly #joined = new Set<ChannelSubscription>();
  /** Of these: not yet handed out by a `subscribe` of the application. */
  readonly #unclaimed = new Set<ChannelSubscription>();
  readonly #left = new Set<string>();
  /** Joined on this connection while a request of our own for the channel was under way. */
  readonly #crossed = new Set<string>();

  add(subscription: ChannelSubscription): void {
    this.#joined.add(subscription);
    this.#unclaimed.add(subscription);
  }

  /** The joined subscription that this name means, once: a second `subscribe` is one too many, as for any channel. */
  claim(name: string): ChannelSubscription | undefined {
    this.want(name);
    const subscription = this.find(name);
    return subscription && this.#unclaimed.delete(subscription) ? subscription : undefined;
  }

  /** The application asks for what it may have left. */
  want(name: string): void {
    for (const each of this.#left) if (means(name, each) || means(each, name)) this.#left.delete(each);
  }

  /** What came by joining and went to nobody is owed to whoever asks for the channel one day. */
  isOwed(subscription: ChannelSubscription): boolean {
    return subscription.isUnheard && this.#joined.has(subscription);
  }

  /** By its own name, or the plain one: a channel is joined as what its plain name stands for, where that is one. */
  find(name: string): ChannelSubscription | undefined {
    const found = [...this.#joined].filter(({ channel }) => means(name, channel));
    return found.length === 1 ? found[0] : undefined;
  }

  /** The plain name that means this one of the joined. */
  plainNameOf(subscription: ChannelSubscription): string | undefined {
    const plain = subscription.channel.slice(0, subscription.channel.indexOf(':'));
    return this.find(plain) === subscription ? plain : undefined;
  }

  /** Requests for these go first: whatever travels with the hello is not joined. */
  first(): Iterable<ChannelSubscription> {
    return this.#joined;
  }

  /** It may have been left by its plain name, before anybody knew what that stands for. */
  isWanted(channel: string): boolean {
    return ![...this.#left].some((name) => means(name, channel));
  }

  cross(channel: string): void {
    this.#crossed.add(channel);
  }

  /** The joined channel that is in the way of a request under this name. */
  crossed(name: string): string | undefined {
    for (const channel of this.#crossed) {
      if (!means(name, channel)) continue;
      this.#crossed.delete(channel);
      return channel;
    }
    return undefined;
  }

  disconnected(): void {
    this.#crossed.clear();
  }

  ended(subscription: ChannelSubscription, isLeft: boolean): void {
    this.#joined.delete(subscription);
    this.#unclaimed.delete(subscription);
    if (!isLeft) return;
    this.#left.add(subscription.canonical);
    if (this.#left.size > MAX_LEFT) this.#left.delete(this.#left.values().next().value!);
  }
}

/** `user` means `user:u-1`, if that is joined. */
export const means = (name: string, channel: string): boolean => channel === name || channel.startsWith(`${name}:`);
