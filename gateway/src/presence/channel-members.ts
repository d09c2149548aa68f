// Which users of this pod are on which channels, for channels whose catalogue entry lets subscribers ask. Plain counting.

export class ChannelMembers {
  /** Connections by user, by channel. */
  readonly #channels = new Map<string, Map<string, number>>();

  get size(): number {
    return this.#channels.size;
  }

  /** Each `join` needs a `leave`. */
  join(channel: string, user: string): void {
    let users = this.#channels.get(channel);
    if (!users) this.#channels.set(channel, (users = new Map()));
    users.set(user, (users.get(user) ?? 0) + 1);
  }

  leave(channel: string, user: string): void {
    const users = this.#channels.get(channel);
    const connections = users?.get(user);
    if (!users || connections === undefined) return;
    if (connections > 1) users.set(user, connections - 1);
    else users.delete(user);
    if (users.size === 0) this.#channels.delete(channel);
  }

  count(channel: string): number {
    return this.#channels.get(channel)?.size ?? 0;
  }

  /** At most `limit` of them, in no order. */
  some(channel: string, limit: number): string[] {
    const members: string[] = [];
    for (const user of this.#channels.get(channel)?.keys() ?? []) {
      if (members.length === limit) break;
      members.push(user);
    }
    return members;
  }
}
