import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { a, Any, ask, define, faultsOf, hum, open, withCommand } from './faulty.fixture.ts';
import {
  channel,
  filter,
  param,
  type CallDefinition,
  type CatalogueDefinition,
  type EphemeralEffect,
} from './define.ts';

const effect = hum.effect!;
const withEffect = (changes: Partial<EphemeralEffect>): CatalogueDefinition =>
  withCommand({ effect: { ...effect, ...changes } });
const withCall = (changes: Partial<CallDefinition>): CatalogueDefinition =>
  define([a], [open], { calls: [{ ...ask, ...changes }] });
const deaf = channel({
  name: 'deaf:{x}',
  first: 'none',
  access: [{ roles: 'any', filters: [filter(a, { x: param('x') }, ['made'])] }],
});

test.each<[string, CatalogueDefinition, RegExp]>([
  ['a command of one word', withCommand({ name: 'hum' }), /command "hum" is not two or more words/],
  ['a command in camel case', withCommand({ name: 'a.humLoud' }), /command "a\.humLoud" is not two or more words/],
  ['a command with a wildcard', withCommand({ name: 'a.*' }), /command "a\.\*" is not two or more words/],
  ['a command twice', define([a], [open], { commands: [hum, hum] }), /command a\.hum is defined twice/],
  ['a command for nobody', withCommand({ roles: [] }), /command a\.hum: nobody may send it/],
  ['a call of one word', withCall({ name: 'ask' }), /call "ask" is not two or more words/],
  ['a call twice', define([a], [open], { calls: [ask, ask] }), /call a\.ask is defined twice/],
  ['a call for nobody', withCall({ roles: [] }), /call a\.ask: nobody may send it/],
  ['a call without patience', withCall({ timeoutMs: 0 }), /call a\.ask: timeoutMs/],
  ['an effect that could come late', withCommand({ offline: 'last_wins' }), /noise when it comes late: never_queued/],
  ['an effect of an unknown type', withEffect({ type: 'a.gone' }), /becomes a\.gone, which is not in the catalogue/],
  ['an effect of an unknown family', withEffect({ type: 'z.humming' }), /becomes z\.humming, which is not in the cat/],
  ['an effect that a stream keeps', withEffect({ type: 'a.made' }), /becomes a\.made, which is not ephemeral/],
  [
    'an effect without a placeholder',
    withEffect({ keys: { x: { field: 'x' } } }),
    /the subject of a\.humming takes y, which its effect has not/,
  ],
  [
    'an effect with another placeholder',
    withEffect({ keys: { ...effect.keys, z: 'now' } }),
    /the subject of a\.humming has no placeholder z/,
  ],
  [
    'an effect of a field that is not there',
    withEffect({ keys: { ...effect.keys, x: { field: 'z' } } }),
    /takes the field "z", which it does not have/,
  ],
  [
    'an effect of what every object has',
    withEffect({ keys: { ...effect.keys, x: { field: 'constructor' } } }),
    /takes the field "constructor", which it does not have/,
  ],
  [
    'an effect with a field that the event has not',
    withEffect({ data: { ...effect.data, loud: 'now' } }),
    /a\.humming has no field loud/,
  ],
  ['an effect without what the event needs', withEffect({ data: {}, atEnd: {} }), /a\.humming needs by, which its/],
  ['an end of a field that is not there', withEffect({ atEnd: { loud: 1 } }), /at the end it says "loud"/],
  ['an effect on an unknown channel', withEffect({ channel: 'two:{x}' }), /its channel two:\{x\} is not in the cat/],
  ['an effect on a plain name', withEffect({ channel: 'one' }), /its channel one is not in the catalogue/],
  ['an effect on a fixed channel', withEffect({ channel: 'one:x' }), /its channel takes x, which is no field of it/],
  ['an effect on a channel of another field', withEffect({ channel: 'one:{z}' }), /its channel takes \{z\}, which is/],
  [
    'an effect on a channel that does not carry it',
    define([a], [open, deaf], { commands: [{ ...hum, effect: { ...effect, channel: 'deaf:{x}' } }] }),
    /its channel deaf:\{x\} does not carry a\.humming/,
  ],
])('refused: %s', (_, definition, fault) => {
  expect(faultsOf(definition).filter((each) => fault.test(each))).toHaveLength(1);
  expect(faultsOf(definition).length).toBeLessThanOrEqual(definition.commands?.[0]?.effect?.type === 'a.made' ? 3 : 2);
});

test('a command without an effect may be queued, and its name may have three words', () => {
  const { effect: _, ...stored } = hum;
  const commands = [{ ...stored, name: 'a.hum.loud', offline: 'commutative' as const, schema: Type.Object({}) }];

  expect(faultsOf(define([a], [open], { commands, calls: [{ ...ask, request: Any }] }))).toEqual([]);
});
