import { describe, expect, test } from 'vitest';
import { a, Any, define, faultsOf, hum, open, withChannel, withFamily } from './faulty.fixture.ts';
import { dialectNames } from './compile-names.ts';
import { state, type CatalogueDefinition, type CommandDefinition } from './define.ts';

const { effect: _, ...stored } = hum;
const named = (name: string, ...aliases: readonly string[]): CommandDefinition => ({
  ...stored,
  name,
  aliases: aliases.map((alias) => ({ name: alias })),
});
const withCommands = (...commands: readonly CommandDefinition[]): CatalogueDefinition =>
  define([a], [open], { commands });

describe('aliases', () => {
  test.each<[string, CatalogueDefinition, RegExp]>([
    [
      'of two types of a family',
      withFamily({ types: { x: state(Any, { aliases: ['old'] }), y: state(Any, { aliases: ['old'] }) } }),
      /alias old belongs to b\.x and b\.y/,
    ],
    [
      'of one type twice',
      withFamily({ types: { x: state(Any, { aliases: ['old', 'old'] }) } }),
      /b\.x has an alias twice/,
    ],
    [
      'of types of two families',
      define([
        { ...a, types: { made: state(Any, { aliases: ['old'] }) } },
        { ...a, name: 'b', subject: 'b.{x}', types: { made: state(Any, { aliases: ['old'] }) } },
      ]),
      /alias old belongs to a\.made and b\.made/,
    ],
    [
      "that is another type's name",
      withFamily({ types: { x: state(Any, { aliases: ['a.made'] }) } }),
      /alias a\.made belongs to a\.made and b\.x/,
    ],
    [
      "that is another type's name in an old dialect",
      withFamily({ types: { x: state(Any, { aliases: ['a:made'] }) } }),
      /alias a:made belongs to b\.x and a\.made/,
    ],
    ['of two commands', withCommands(named('a.one', 'old'), named('a.two', 'old')), /alias old belongs to a\.one and/],
    [
      "that is another command's name",
      withCommands(named('a.one'), named('a.two', 'a.one')),
      /alias a\.one belongs to a\.one and a\.two/,
    ],
  ])('refused: an alias %s', (_, definition, fault) => {
    expect(faultsOf(definition)).toEqual([expect.stringMatching(fault)]);
  });

  test('what a client hears and what it says may have one name', () => {
    const definition = define([{ ...a, types: { made: state(Any, { aliases: ['old'] }) } }], [open], {
      commands: [named('a.make', 'old')],
    });

    expect(faultsOf(definition)).toEqual([]);
  });

  test('the two dialects', () => {
    expect(dialectNames('order.status_changed')).toEqual(['order:status_changed', 'order.statusChanged']);
    expect(dialectNames('chat.message')).toEqual(['chat:message', 'chat.message']);
    expect(dialectNames('a.to_do_2')).toEqual(['a:to_do_2', 'a.toDo2']);
  });
});

describe('rooms', () => {
  const two = { ...open, name: 'two:{x}' };

  test.each<[string, CatalogueDefinition, RegExp]>([
    ['without the parameter', withChannel({ rooms: ['old'] }), /room "old" does not name each parameter once/],
    ['with another parameter', withChannel({ rooms: ['old-{y}'] }), /room "old-\{y\}" does not name each parameter/],
    ['with a parameter twice', withChannel({ rooms: ['old-{x}-{x}'] }), /does not name each parameter once/],
    ['that is nothing but a parameter', withChannel({ rooms: ['{x}'] }), /leaves open where a parameter begins/],
    [
      'of two channels',
      define(
        [a],
        [
          { ...open, rooms: ['old-{x}'] },
          { ...two, rooms: ['old-{x}'] },
        ],
      ),
      /room "old-\{x\}" belongs to one:\{x\} and two:\{x\}/,
    ],
    [
      'that is another channel',
      define([a], [{ ...open, rooms: ['two:{x}'] }, two]),
      /room "two:\{x\}" belongs to two:\{x\} and one:\{x\}/,
    ],
  ])('refused: a room %s', (_, definition, fault) => {
    expect(faultsOf(definition)).toEqual([expect.stringMatching(fault)]);
  });

  test('a channel may have several, and its own name among them', () => {
    expect(faultsOf(withChannel({ rooms: ['one-{x}', 'one_{x}', 'one:{x}'] }))).toEqual([]);
  });
});
