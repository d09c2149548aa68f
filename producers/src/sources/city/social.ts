// Customers follow each other, post, like, comment, and plan things together. Pure.
import { between, pick, type Random } from '../../random.ts';
import { commander, madeBy, type Sender, type Theme, type ThemeOptions } from './act.ts';
import { customerSender, CUSTOMERS } from './people.ts';

const POSTS = [
  'The best dosa of the week, and still warm at the door.',
  'Who else orders the mango lassi twice?',
  'Rainy evening, hot soup, good book.',
  'Trying the new place on 7th Main tonight.',
  'Eleven minutes from click to door!',
  'Sunday biryani is a promise.',
];
const COMMENTS = [
  'Looks great!',
  'Save some for me.',
  'I was there yesterday!',
  'Now I am hungry.',
  'Which place is it?',
];
const PLANS = [
  'Badminton at the park',
  'Street food walk',
  'Morning run',
  'Board games',
  'Movie night',
  'Potluck dinner',
];

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
/** How many each follows. */
const FOLLOWED = 5;
const REMEMBERED_POSTS = 12;
const REMEMBERED_ACTIVITIES = 5;

const someone = (random: Random): Sender => customerSender(1 + Math.floor(random() * CUSTOMERS));

/** Steps grow, so that nobody is met twice. */
const followedBy = (number: number, step: number): Sender =>
  customerSender(((number + step * step - 1) % CUSTOMERS) + 1);

/** First everybody finds friends, which is no news to a city that was here before; then they talk. */
export function* posts(options: ThemeOptions): Theme {
  const { startMs, random, pace } = options;
  const command = commander(options.createId);
  let atMs = startMs;
  for (let number = 1; number <= CUSTOMERS; number++) {
    for (let step = 1; step <= FOLLOWED; step++) {
      atMs += (0.02 * SECOND_MS) / pace;
      yield command(atMs, customerSender(number), 'feed.follow_user', {
        userId: followedBy(number, step).sub,
      });
    }
  }
  const recent: string[] = [];
  for (;;) {
    atMs += (between(random, 1, 4) * SECOND_MS) / pace;
    const dice = random();
    if (recent.length === 0 || dice < 0.25) {
      // Every third by somebody whom u-1 follows: there is always something to see in that feed.
      const author = random() < 0.33 ? followedBy(1, 1 + Math.floor(random() * FOLLOWED)) : someone(random);
      const posted = command(atMs, author, 'feed.create_post', { content: pick(random, POSTS) });
      recent.push(madeBy(posted, 'post'));
      if (recent.length > REMEMBERED_POSTS) recent.shift();
      yield posted;
      continue;
    }
    const postId = pick(random, recent);
    yield dice < 0.8
      ? command(atMs, someone(random), 'feed.like_post', { postId })
      : command(atMs, someone(random), 'feed.comment_post', { postId, comment: pick(random, COMMENTS) });
  }
}

export function* activities(options: ThemeOptions): Theme {
  const { startMs, random, pace } = options;
  const command = commander(options.createId);
  const recent: string[] = [];
  let atMs = startMs;
  for (;;) {
    atMs += (between(random, 2, 6) * SECOND_MS) / pace;
    const dice = random();
    if (recent.length === 0 || dice < 0.08) {
      const startsAt = new Date(Math.round(atMs + between(random, 2, 48) * HOUR_MS)).toISOString();
      const planned = command(atMs, someone(random), 'activity.create', { title: pick(random, PLANS), startsAt });
      recent.push(madeBy(planned, 'activity'));
      if (recent.length > REMEMBERED_ACTIVITIES) recent.shift();
      yield planned;
      continue;
    }
    const data = { activityId: pick(random, recent) };
    const name = dice < 0.5 ? 'join' : dice < 0.65 ? 'leave' : dice < 0.9 ? 'like' : 'unlike';
    yield command(atMs, someone(random), `activity.${name}`, data);
  }
}
