// Whatever happens in the domain, an app of either vocabulary learns the same of it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mustCompileCatalogue } from '../catalogue/compile.ts';
import { compileLegacy } from '../catalogue/legacy.ts';
import { arbitraryOf } from '../catalogue/schema-arbitrary.fixture.ts';
import { rez } from './catalogue.ts';

const catalogue = mustCompileCatalogue(rez);
const { events, requests, rooms } = compileLegacy(catalogue);
const types = [...catalogue.families.values()].flatMap((family) => [...family.types.values()]);
const names = types.flatMap(({ name, schema }) => events.namesOf(name).map((old) => [old, name, schema] as const));

/** The fields that one alias cannot carry back. */
const LOST: Readonly<Record<string, string>> = { 'delivery.locationUpdated': 'estimatedArrival' };

test('every type has old names', () => {
  expect(new Set(names.map(([, type]) => type)).size).toBe(types.length);
});

test.each(names)('%s says what %s says, and back', (old, type, schema) => {
  const unknownFields = fc.record({ zone: fc.jsonValue() }, { requiredKeys: [] });
  fc.assert(
    fc.property(arbitraryOf(schema), unknownFields, (known, more) => {
      const data = { ...more, ...(known as Record<string, unknown>) };

      const back = events.toOld(old, data).map((each) => events.fromOld(old, each)!);

      expect(new Set(back.map((each) => each.type))).toEqual(new Set([type]));
      const lost = LOST[old];
      const comparable = (each: Record<string, unknown>): Record<string, unknown> =>
        lost === undefined ? each : { ...each, [lost]: undefined };
      // One event per message, where one is several.
      const messageIds = back.flatMap((each) => (each.data['messageIds'] as readonly string[] | undefined) ?? []);
      for (const each of back) {
        const merged = messageIds.length > 0 ? { ...each.data, messageIds } : { ...each.data };
        expect(comparable(merged)).toEqual(comparable(data));
      }
    }),
  );
});

test.each(names)('%s of %s is in the old shape after one way there and back', (old, _, schema) => {
  fc.assert(
    fc.property(arbitraryOf(schema), (data) => {
      const shown = events.toOld(old, data as Record<string, unknown>);

      expect(shown.flatMap((each) => events.toOld(old, events.fromOld(old, each)!.data))).toEqual(shown);
    }),
  );
});

const commands = [...catalogue.commands.values()].map((command) => [command.name, command] as const);

test.each(commands)('%s is said in every old way, and understood', (name, { schema }) => {
  fc.assert(
    fc.property(arbitraryOf(schema), (data) => {
      const request = { kind: 'command', name, data: data as Record<string, unknown> } as const;

      const olds = requests.toOld(request);

      expect(olds.length).toBeGreaterThan(0);
      for (const old of olds) expect(requests.fromOld(old)).toEqual(request);
    }),
  );
});

const token = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}$/);
const prefixes = [...catalogue.channels.values()].map((channel) => [channel.prefix, channel] as const);

test.each(prefixes)('%s is known by every room of it, and by every old subscription', (prefix, { params }) => {
  fc.assert(
    fc.property(fc.tuple(...params.map(() => token)), (values) => {
      const channel = [prefix, ...values].join(':');

      for (const room of rooms.roomsOf(channel)) expect(rooms.channelsOf(room)).toContain(channel);
      const olds = requests.toOld({ kind: 'subscribe', channels: [channel] });
      expect(olds.length).toBeGreaterThan(0);
      for (const old of olds)
        expect(requests.fromOld(old)).toMatchObject({ kind: 'subscribe', channels: expect.arrayContaining([channel]) });
    }),
  );
});

test('nothing that a peer says throws', () => {
  const known = [...names.map(([old]) => old), ...commands.flatMap(([name]) => [name, name.replace('.', ':')])];
  const name = fc.oneof(
    fc.constantFrom('join', 'room:join', 'sync:request', 'message:send', 'typing:start', 'subscribe:order', ...known),
    fc.string(),
  );
  fc.assert(
    fc.property(name, fc.anything(), fc.object(), fc.string(), (said, argument, data, room) => {
      requests.fromOld({ name: said, data: argument });
      rooms.channelsOf(room);
      const canonical = events.fromOld(said, data);
      if (canonical) expect(events.toOld(said, canonical.data)).toBeInstanceOf(Array);
    }),
  );
});
