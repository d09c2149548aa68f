// What `sluice streams apply` shows before it does anything. Pure.

import type { FieldPlan, StreamPlan } from '@sluice/producers';

const MARKS = { create: '+', equal: ' ', change: '~', impossible: '!' } as const;

/** One stream a paragraph; what stays although the catalogue says otherwise is told, too. */
export function diffLines(plans: readonly StreamPlan[], mayShrink: boolean): string[] {
  const width = Math.max(0, ...plans.map(({ stream }) => stream.length));
  return plans.flatMap((plan) => {
    const [first = '', ...rest] = aboutStream(plan, mayShrink);
    const lines = [`${MARKS[plan.kind]} ${plan.stream.padEnd(width)}  ${first}`];
    return [...lines, ...rest.map((line) => `  ${' '.repeat(width)}  ${line}`)];
  });
}

function aboutStream({ kind, fields, config }: StreamPlan, mayShrink: boolean): string[] {
  if (kind === 'create') {
    const names = ['subjects', 'max_age', 'max_bytes', 'max_msgs_per_subject', 'num_replicas'] as const;
    return [`new: ${names.flatMap((name) => aboutNew(name, config[name])).join(', ')}`];
  }
  if (fields.length === 0) return ['as it should be'];
  return fields.map((field) => aboutField(field, mayShrink));
}

const aboutNew = (field: string, value: unknown): string[] =>
  value === undefined ? [] : [`${field} ${valueText(field, value)}`];

function aboutField({ field, found, wanted, verdict }: FieldPlan, mayShrink: boolean): string {
  const [from, to] = [valueText(field, found), valueText(field, wanted)];
  if (verdict === 'impossible') return `${field} is ${from} and should be ${to}: no server changes that`;
  if (verdict === 'change') return `${field}: ${from} -> ${to}`;
  return mayShrink
    ? `${field}: ${from} -> ${to}, which may lose events`
    : `${field} stays ${from}; the catalogue says ${to} (--shrink)`;
}

const NS_PER_SECOND = 1_000_000_000;
const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];
const SIZES: readonly (readonly [string, number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
];

function valueText(field: string, value: unknown): string {
  if (Array.isArray(value)) return value.join(' ');
  if (typeof value !== 'number') return value === undefined ? 'unset' : String(value as string | boolean);
  const isDuration = ['max_age', 'duplicate_window', 'subject_delete_marker_ttl'].includes(field);
  if (value <= 0 && field !== 'num_replicas')
    return isDuration && value === 0 && field !== 'max_age' ? '0' : 'unlimited';
  if (isDuration) return inUnits(value / NS_PER_SECOND, DURATIONS, 's');
  return field === 'max_bytes' ? inUnits(value, SIZES, 'bytes') : String(value);
}

/** In the largest unit in which it is whole. */
function inUnits(value: number, units: readonly (readonly [string, number])[], smallest: string): string {
  const [unit, size] = units.find(([, each]) => value % each === 0) ?? [smallest, 1];
  return `${value / size} ${unit}`;
}
