// A stream of grants in memory: what its leader holds, what its tail has passed on so far, and reads under way that the
// test answers, late or never.
import type { GrantChange, GrantHolder, GrantSource, GrantDenial } from './grants.ts';

const NOTHING = new Uint8Array(0);

export const grantValue = (expiresAtMs?: number): Uint8Array =>
  Buffer.from(JSON.stringify(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }));

export interface StoredChange extends GrantChange {
  readonly grant: string;
}

interface Read {
  readonly grant: string;
  readonly resolve: (change: GrantChange | undefined) => void;
  readonly reject: (error: Error) => void;
}

export class ModelGrantStream implements GrantSource {
  isFollowing = true;
  isLeaderThere = true;
  /** All changes in order; keys keep their newest one only. */
  log: StoredChange[] = [];
  /** Also what newer changes have taken the place of: an outdated leader still answers with it. */
  history: StoredChange[] = [];
  /** Not yet told by the tail. */
  untold: StoredChange[] = [];
  readonly reads: Read[] = [];
  #last = 0;

  isCurrent(): boolean {
    return this.isFollowing;
  }

  firstSequence(): number {
    return this.log[0]?.sequence ?? this.#last + 1;
  }

  read(grant: string): Promise<GrantChange | undefined> {
    return new Promise((resolve, reject) => this.reads.push({ grant, resolve, reject }));
  }

  put(grant: string, expiresAtMs?: number): StoredChange {
    return this.#store(grant, grantValue(expiresAtMs));
  }

  /** A delete, a purge or a marker. */
  end(grant: string): StoredChange {
    return this.#store(grant, NOTHING);
  }

  newest(grant: string): StoredChange | undefined {
    return this.log.findLast((change) => change.grant === grant);
  }

  /** Answers as the leader has it at this moment. */
  answer(read: Read | undefined = this.reads[0]): void {
    if (!read) return;
    this.reads.splice(this.reads.indexOf(read), 1);
    if (this.isLeaderThere) read.resolve(this.newest(read.grant));
    else read.reject(new Error('no leader'));
  }

  /** Another stream in its place, empty or an older copy; what the tail has not told is lost. */
  replace(keep: number): void {
    this.log = this.log.slice(0, keep);
    this.history = [...this.log];
    this.untold = [...this.log];
    this.#last = this.log.at(-1)?.sequence ?? 0;
  }

  /** All but the newest are taken out of the stream, which no message tells; also what the tail has not got yet. */
  purge(keep: number): void {
    this.log = keep === 0 ? [] : this.log.slice(-keep);
    this.untold = this.untold.filter((change) => this.log.includes(change));
  }

  /** Taken out without a word. */
  remove(grant: string): void {
    this.log = this.log.filter((change) => change.grant !== grant);
  }

  #store(grant: string, value: Uint8Array): StoredChange {
    const change = { grant, sequence: ++this.#last, value };
    this.log = this.log.filter((each) => each.grant !== grant);
    this.log.push(change);
    this.history.push(change);
    this.untold.push(change);
    return change;
  }
}

/** Remembers what it was told. */
export class RecordingHolder implements GrantHolder {
  readonly told: ('granted' | 'suspended' | GrantDenial)[] = [];

  get last(): string | undefined {
    return this.told.at(-1);
  }

  granted(): void {
    this.told.push('granted');
  }

  suspended(): void {
    this.told.push('suspended');
  }

  denied(code: GrantDenial): void {
    this.told.push(code);
  }
}
