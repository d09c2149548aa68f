// Customers and support agents talk. Pure.
import { between, pick } from '../../random.ts';
import { commander, type Theme, type ThemeOptions } from './act.ts';
import { agent, customerSender, CUSTOMERS } from './people.ts';

const TALKS: readonly (readonly [asked: string, answered: string])[] = [
  ['Hello, where is my order?', 'Hello! Let me look. It has just left the restaurant.'],
  ['Can I still change the address?', 'It is on its way already, but I have told the driver to call you.'],
  ['One dish was missing.', 'I am sorry about that. The refund is on its way.'],
  ['The coupon did not work.', 'It needs an order above 300. Shall I add the coins to your wallet instead?'],
  ['Do you deliver to 12th Cross?', 'We do, from seven in the morning to eleven at night.'],
  ['Please leave it at the door.', 'Of course. I have passed that on.'],
  ['The driver was very kind, please tell him.', 'Thank you, that will make his day!'],
];

const SECOND_MS = 1_000;

/** One line of talks; several of them run side by side. The first one always has u-1 in it: somebody to watch. */
export function* chats({ startMs, random, pace, createId }: ThemeOptions, line: number): Theme {
  let atMs = startMs;
  const pass = (low: number, high: number): void => {
    atMs += (between(random, low, high) * SECOND_MS) / pace;
  };
  const command = commander(createId);
  for (;;) {
    const asking = customerSender(line === 0 ? 1 : 1 + Math.floor(random() * CUSTOMERS));
    const answering = agent(line + 1);
    const chatId = `chat-${asking.sub}`;
    for (let turns = 1 + Math.floor(random() * 3); turns > 0; turns--) {
      pass(2, 6);
      const [question, answer] = pick(random, TALKS);
      yield command(atMs, asking, 'chat.send_message', { chatId, message: question });
      pass(3, 8);
      yield command(atMs, answering, 'chat.send_message', { chatId, message: answer });
    }
    pass(5, 15);
  }
}
