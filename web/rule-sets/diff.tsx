import { Badge, Code, Group, Select, Stack, Text } from '@mantine/core';
import { useSearchParams } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { Read } from '../parts/read.tsx';

type Difference = Body<'diffRuleSets'>;
type MemberChange = Difference['members'][number];

/** What is different between this version and another one: by rule and list, not by line. */
export function Diff({ version }: { version: string }) {
  const [params, setParams] = useSearchParams();
  const against = params.get('against');
  const versions = useRead('listRuleSets', {});
  const diff = useRead(
    'diffRuleSets',
    { path: { version }, query: against === null ? {} : { against } },
    { keep: true },
  );
  return (
    <Stack>
      <Select
        label="Against"
        data={(versions.data?.items ?? []).map((one) => ({
          value: one.version,
          label: `${one.version} (${one.status})`,
        }))}
        value={against ?? diff.data?.against ?? null}
        allowDeselect={false}
        searchable
        maw={320}
        onChange={(chosen) => {
          const next = new URLSearchParams(params);
          if (chosen !== null) next.set('against', chosen);
          setParams(next);
        }}
      />
      <Read query={diff}>{(found) => <Changes {...found} />}</Read>
    </Stack>
  );
}

function Changes({ version, against, rules, lists, members }: Difference) {
  const count =
    [rules.added, rules.removed, rules.changed, lists.added, lists.removed, lists.changed].flat().length +
    members.length;
  if (count === 0)
    return <Text>{version === against ? 'This is the same version.' : `Nothing is different from ${against}.`}</Text>;
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">
        What would change if {version} took the place of {against}.
      </Text>
      <Names what="rule" sign="+" names={rules.added} />
      <Names what="rule" sign="−" names={rules.removed} />
      {rules.changed.map(({ id, members: of }) => (
        <Changed key={id} title={`Rule ${id}`} members={of} />
      ))}
      <Names what="list" sign="+" names={lists.added} />
      <Names what="list" sign="−" names={lists.removed} />
      {lists.changed.map(({ name, added, removed, changed, examples, members: of }) => (
        <Changed key={name} title={`List ${name}: ${added} added, ${removed} removed, ${changed} changed`} members={of}>
          <ul className="changes">
            {examples.map(({ change, value }) => (
              <li key={`${change} ${value}`}>
                {change}: <Code>{value}</Code>
              </li>
            ))}
          </ul>
        </Changed>
      ))}
      {members.length > 0 && <Changed title="Document" members={members} />}
    </Stack>
  );
}

/** Added and removed in words, beside the sign and the colour. */
function Names({ what, sign, names }: { what: string; sign: '+' | '−'; names: readonly string[] }) {
  if (names.length === 0) return null;
  const isAdded = sign === '+';
  return (
    <Group gap="xs">
      <Text fw={600} size="sm">
        {what === 'rule' ? 'Rules' : 'Lists'} {isAdded ? 'added' : 'removed'}
      </Text>
      {names.map((name) => (
        <Badge key={name} className="badge" variant="light" color={isAdded ? 'green' : 'red'}>
          {sign} {name}
        </Badge>
      ))}
    </Group>
  );
}

function Changed({
  title,
  members,
  children,
}: {
  title: string;
  members: readonly MemberChange[];
  children?: React.ReactNode;
}) {
  return (
    <section aria-label={title}>
      <Text fw={600} size="sm">
        {title}
      </Text>
      <ul className="changes">
        {members.map((member) => (
          <li key={member.pointer}>
            <code>{member.pointer}</code> <Value of={member} side="from" />
            {' → '}
            <Value of={member} side="to" />
          </li>
        ))}
      </ul>
      {children}
    </section>
  );
}

function Value({ of, side }: { of: MemberChange; side: 'from' | 'to' }) {
  const isThere = side in of && of[side] !== undefined;
  if (!isThere)
    return (
      <Text span size="sm" c="dimmed">
        {side === 'from' ? 'nothing' : 'taken away'}
      </Text>
    );
  return (
    <Code className={side === 'from' ? 'was' : 'becomes'}>
      {typeof of[side] === 'string' ? (of[side] as string) : JSON.stringify(of[side])}
    </Code>
  );
}
