import { Table, Text } from '@mantine/core';
import type { Attempt } from './attempts.tsx';

/** The note of a reason in words (domain/risk/reasons.ts). */
const NOTES: Readonly<Record<string, string>> = {
  no_history: 'nothing to compare with yet',
  few_prior: 'too little history to compare with',
  no_baseline: 'the first login: nothing to compare with',
  geo_unknown: 'the place is unknown',
  masked_network: 'VPN, relay, Tor, hosting or satellite: the place says little',
  counted_once: 'its weight is in another rule',
  allow_listed: 'silenced by an allow list',
  error: 'could not be computed',
};

interface Reason {
  readonly ruleId: string;
  readonly title: string;
  readonly value: unknown;
  readonly baseline: unknown;
  readonly threshold: unknown;
  readonly points: number;
  readonly note?: string;
}

/** What each rule found, whether it fired or not: those that weigh most first. */
export function LoginReasons({ reasons }: { reasons: Attempt['reasons'] }) {
  const sorted = (reasons as unknown as readonly Reason[]).toSorted((a, b) => b.points - a.points);
  if (sorted.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing was scored: the password was wrong, or the account was locked.
      </Text>
    );
  }
  return (
    <div className="rows">
      <Table aria-label="Every rule" verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Rule</Table.Th>
            <Table.Th scope="col">Found</Table.Th>
            <Table.Th scope="col">Usual</Table.Th>
            <Table.Th scope="col">Threshold</Table.Th>
            <Table.Th scope="col" ta="right">
              Points
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sorted.map((reason) => (
            <Table.Tr key={reason.ruleId}>
              <Table.Td>
                {reason.title}
                {reason.note !== undefined && (
                  <Text size="xs" c="dimmed">
                    {NOTES[reason.note] ?? reason.note.replaceAll('_', ' ')}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>{shown(reason.value)}</Table.Td>
              <Table.Td>{shown(reason.baseline)}</Table.Td>
              <Table.Td>{shown(reason.threshold)}</Table.Td>
              <Table.Td ta="right" className="number" fw={reason.points > 0 ? 700 : undefined}>
                {pointsText(reason.points)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'number' ? String(Number(value.toFixed(2))) : String(value);
}

/** Points are hundredths of the score. */
function pointsText(points: number): string {
  return points === 0 ? '0' : `${points < 0 ? '−' : '+'}${(Math.abs(points) / 100).toFixed(2)}`;
}
