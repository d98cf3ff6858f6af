import { Button, Group, Progress, Stack, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { Body } from '../../calls.ts';
import { noteText, pointsText, valueText } from './values.ts';

type Decision = Body<'getDecision'>;
type Contribution = Decision['contributions'][number];

/** One colour for each rule, in the bar and beside its name. */
const COLOURS = ['brand.7', 'orange.7', 'violet.6', 'blue.7', 'pink.7', 'lime.8', 'grape.7', 'cyan.8'];

const isWorthSeeing = ({ points, note }: Contribution): boolean => points !== 0 || note === 'error';

/** What each rule added to the score: a bar of them all, and what each found, held against what it knew. */
export function Contributions({ decision, currency }: { decision: Decision; currency: string }) {
  const [all, { toggle }] = useDisclosure();
  const sorted = [...decision.contributions].sort((a, b) => b.points - a.points);
  const telling = sorted.filter(isWorthSeeing);
  const silent = sorted.length - telling.length;
  const positive = telling.filter(({ points }) => points > 0);
  const colourOf = (ruleId: string): string => {
    const place = positive.findIndex((one) => one.ruleId === ruleId);
    return place === -1 ? 'gray' : (COLOURS[place % COLOURS.length] ?? 'gray');
  };
  return (
    <Stack gap="sm">
      <Group gap="sm" wrap="nowrap">
        <Progress.Root size={18} flex={1} aria-hidden>
          {positive.map(({ ruleId, points }) => (
            <Progress.Section key={ruleId} value={points} color={colourOf(ruleId)} aria-hidden />
          ))}
        </Progress.Root>
        <Text fw={700} className="number">
          {decision.score.toFixed(2)}
        </Text>
      </Group>
      {telling.length === 0 && (
        <Text size="sm" c="dimmed">
          No rule found anything.
        </Text>
      )}
      {/* A region that scrolls must be reachable by keyboard (WCAG 2.2, 2.1.1). */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: see above */}
      <section className="rows" tabIndex={0} aria-label="Contributions of rules, table">
        <Table aria-label="Contributions of rules" verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Rule</Table.Th>
              <Table.Th scope="col" ta="right">
                Found
              </Table.Th>
              <Table.Th scope="col" ta="right">
                Usual
              </Table.Th>
              <Table.Th scope="col" ta="right">
                Threshold
              </Table.Th>
              <Table.Th scope="col">Adds</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {(all ? sorted : telling).map((one) => (
              <Table.Tr key={one.ruleId}>
                <Table.Th scope="row" fw={500}>
                  {one.title}
                  {one.note !== null && (
                    <Text size="xs" c={one.note === 'error' ? 'var(--mantine-color-error)' : 'dimmed'}>
                      {noteText(one.note)}
                    </Text>
                  )}
                </Table.Th>
                {[one.value, one.baseline, one.threshold].map((value, column) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: three columns that never move
                  <Table.Td key={column} ta="right" className="number">
                    {valueText(value, one.unit, currency)}
                  </Table.Td>
                ))}
                <Table.Td>
                  <Group gap={6} wrap="nowrap" miw={110}>
                    <Text span inherit className="number" miw={44}>
                      {pointsText(one.points)}
                    </Text>
                    <Progress
                      value={Math.min(100, Math.abs(one.points))}
                      color={one.points < 0 ? 'teal' : colourOf(one.ruleId)}
                      size="lg"
                      flex={1}
                      miw={60}
                      aria-hidden
                    />
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
      {silent > 0 && (
        <Group>
          <Button variant="subtle" size="compact-sm" onClick={toggle} aria-expanded={all}>
            {all
              ? 'Only the rules that counted'
              : `And ${silent} ${silent === 1 ? 'rule' : 'rules'} that added nothing`}
          </Button>
        </Group>
      )}
    </Stack>
  );
}
