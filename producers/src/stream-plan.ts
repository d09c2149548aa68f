// What it takes to make an existing stream what a catalogue wants, judged field by field: what is harmless, what would cut
// off events that are kept now, what no server does. Pure; knows configurations, no connection.
import { RetentionPolicy, type StreamConfig } from '@nats-io/jetstream';
import type { StreamDifference, StreamOptions, Wanted } from './streams.ts';

/**
 * `change`: nothing stored is lost by it. `shrink`: the server would delete events, take fewer, or keep fewer copies.
 * `impossible`: the server refuses it; only deleting the stream would help, which is nobody's job but the operator's.
 */
export type FieldVerdict = 'change' | 'shrink' | 'impossible';

export interface FieldPlan extends StreamDifference {
  readonly verdict: FieldVerdict;
}

export interface StreamPlan {
  readonly stream: string;
  /** `equal` may still have fields that would shrink, which stay as they are. */
  readonly kind: 'create' | 'equal' | 'change' | 'impossible';
  readonly fields: readonly FieldPlan[];
  /** What to create, or what to update it to. */
  readonly config: Wanted;
}

export interface PlanOptions extends StreamOptions {
  /** Limits may become narrower, subjects and copies fewer. */
  readonly mayShrink?: boolean;
}

type Field = keyof StreamConfig;

export const planStream = (wanted: Wanted, found: StreamConfig | undefined, options: PlanOptions = {}): StreamPlan => {
  const { name: stream } = wanted;
  if (!found) return { stream, kind: 'create', fields: [], config: wanted };
  const fields = Object.entries(wanted)
    .filter(([field, value]) => isSpecified(field, value, options))
    .flatMap(([field, value]) => judge(field as Field, value, found[field as Field]));
  const carriedOut = fields.filter(
    ({ verdict }) => verdict === 'change' || (verdict === 'shrink' && options.mayShrink),
  );
  const isImpossible = fields.some(({ verdict }) => verdict === 'impossible');
  const kind = isImpossible ? 'impossible' : carriedOut.length > 0 ? 'change' : 'equal';
  // All that the catalogue does not speak of stays as the operator has set it.
  return { stream, kind, fields, config: { ...found, ...Object.fromEntries(carriedOut.map(toEntry)) } };
};

const toEntry = ({ field, wanted }: FieldPlan): [string, unknown] => [field, wanted];

/** What neither catalogue nor caller names is a default for new streams, not a wish about old ones. */
const isSpecified = (field: string, value: unknown, options: PlanOptions): boolean => {
  if (field === 'max_bytes') return value !== -1;
  return field !== 'num_replicas' || options.replicas !== undefined;
};

const judge = (field: Field, wanted: unknown, found: unknown): FieldPlan[] => {
  if (field === 'subjects') return judgeSubjects(wanted as string[], (found ?? []) as string[]);
  const isUnlimitedBoth = field in UNLIMITED && toLimit(field, wanted) === toLimit(field, found);
  // A flag that the server does not send is false.
  if (isUnlimitedBoth || wanted === (found ?? absentOf(wanted))) return [];
  return [{ field, wanted, found, verdict: verdictOf(field, wanted, found) }];
};

const absentOf = (wanted: unknown): unknown => (typeof wanted === 'boolean' ? false : undefined);

/** Limits, with what stands for none. Servers also say it by leaving the field out. */
const UNLIMITED: Partial<Record<Field, number>> = { max_age: 0, max_bytes: -1, max_msgs: -1, max_msgs_per_subject: -1 };

const toLimit = (field: Field, value: unknown): number =>
  value === undefined || value === UNLIMITED[field] || Number(value) <= 0 ? Number.POSITIVE_INFINITY : Number(value);

const verdictOf = (field: Field, wanted: unknown, found: unknown): FieldVerdict => {
  if (field in UNLIMITED) return toLimit(field, wanted) < toLimit(field, found) ? 'shrink' : 'change';
  switch (field as string) {
    case 'name':
    case 'storage':
    case 'max_consumers':
      return 'impossible';
    case 'retention':
      return [wanted, found].includes(RetentionPolicy.Workqueue) ? 'impossible' : 'change';
    // Once on, these stay on.
    case 'allow_msg_ttl':
    case 'deny_delete':
    case 'deny_purge':
      return wanted === true ? 'change' : 'impossible';
    case 'num_replicas':
    case 'duplicate_window':
    case 'subject_delete_marker_ttl':
      return Number(wanted) < Number(found ?? 0) ? 'shrink' : 'change';
    default:
      return 'change';
  }
};

/** Subjects that are missing are added; those that an operator has added are taken away only on request. */
const judgeSubjects = (wanted: readonly string[], found: readonly string[]): FieldPlan[] => {
  const plans: FieldPlan[] = [];
  // Subjects of one stream must not overlap: what another one covers goes into it.
  const others = found.filter((each) => !wanted.some((wider) => isCoveredBy(each, wider)));
  const isComplete = wanted.every((each) => found.some((wider) => isCoveredBy(each, wider)));
  const united = [...wanted.filter((each) => !others.some((wider) => isCoveredBy(each, wider))), ...others];
  if (!isComplete) plans.push({ field: 'subjects', wanted: united, found, verdict: 'change' });
  if (others.length > 0)
    plans.push({ field: 'subjects', wanted, found: isComplete ? found : united, verdict: 'shrink' });
  return plans;
};

/** Does every subject that `narrow` matches match `wide`, too? */
const isCoveredBy = (narrow: string, wide: string): boolean => {
  const given = narrow.split('.');
  const wanted = wide.split('.');
  for (const [at, token] of wanted.entries()) {
    if (token === '>') return given.length > at;
    if (at >= given.length || given[at] === '>' || (token !== '*' && token !== given[at])) return false;
  }
  return wanted.length === given.length;
};
