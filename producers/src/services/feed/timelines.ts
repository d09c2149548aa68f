// What the feed knows: who follows whom, and which posts there are. Pure. A post's story has one place, its author's
// timeline; what happens there goes to every timeline that carries the post.
import type { PastEvent, PastEventOf } from '../../service/definition.ts';

export interface Post {
  readonly postId: string;
  readonly authorId: string;
  readonly atMs: number;
  /** The author's followers when it was written, in the log's order: every copy of the service sees the same. */
  readonly carriers: readonly string[];
  readonly likers: Set<string>;
  comments: number;
}

export type StoryEvent = PastEventOf<'feed.new_post' | 'feed.post_liked' | 'feed.post_commented'>;

/** Plain, so that it can be kept. */
export interface TimelinesData {
  readonly followers: Map<string, Set<string>>;
  readonly posts: Map<string, Post>;
  readonly names: Map<string, string>;
}

export const noTimelines = (): TimelinesData => ({ followers: new Map(), posts: new Map(), names: new Map() });

export class Timelines {
  readonly #followers: TimelinesData['followers'];
  readonly #posts: TimelinesData['posts'];
  readonly #names: TimelinesData['names'];

  constructor({ followers, posts, names }: TimelinesData) {
    this.#followers = followers;
    this.#posts = posts;
    this.#names = names;
  }

  fold(event: PastEvent): void {
    if (event.type === 'feed.user_followed') {
      const { followedId, followerId, followerName } = event.payload;
      const followers = this.#followers.get(followedId) ?? new Set();
      this.#followers.set(followedId, followers.add(followerId));
      this.#names.set(followerId, followerName);
      return;
    }
    if (!isStory(event) || !this.isTold(event)) return;
    const { userId, userName, postId } = event.payload;
    this.#names.set(userId, userName);
    if (event.type === 'feed.new_post') return this.#addPost(postId, userId, event.timeMs);
    const post = this.#posts.get(postId)!;
    if (event.type === 'feed.post_liked') post.likers.add(userId);
    else post.comments = Math.max(post.comments, event.payload.totalComments);
  }

  /** Whether this is where it happened, the author's timeline; elsewhere it is a copy. */
  isTold({ type, keys, payload }: StoryEvent): boolean {
    const authorId = type === 'feed.new_post' ? payload.userId : this.#posts.get(payload.postId)?.authorId;
    return keys.userId === authorId;
  }

  post(postId: string): Post | undefined {
    return this.#posts.get(postId);
  }

  isFollowing(followerId: string, followedId: string): boolean {
    return this.#followers.get(followedId)?.has(followerId) ?? false;
  }

  /** As they were last called, or by their id. */
  nameOf(userId: string): string {
    return this.#names.get(userId) ?? userId;
  }

  #addPost(postId: string, authorId: string, atMs: number): void {
    if (this.#posts.has(postId)) return;
    const carriers = [...(this.#followers.get(authorId) ?? [])];
    this.#posts.set(postId, { postId, authorId, atMs, carriers, likers: new Set(), comments: 0 });
    this.#forget(atMs - KEPT_MS);
  }

  /** Posts that the stream does not hold any more either. They stand in the order of writing. */
  #forget(beforeMs: number): void {
    for (const [postId, { atMs }] of this.#posts) {
      if (atMs >= beforeMs) return;
      this.#posts.delete(postId);
    }
  }
}

/** As long as the stream keeps events. */
const KEPT_MS = 7 * 86_400_000;

export const isStory = (event: PastEvent): event is StoryEvent =>
  event.type === 'feed.new_post' || event.type === 'feed.post_liked' || event.type === 'feed.post_commented';
