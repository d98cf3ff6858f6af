import { Anchor, Table, Text } from '@mantine/core';
import { Link } from 'react-router';
import { SeverityBadge } from '../../parts/badges.tsx';
import { Section } from '../../parts/page.tsx';
import type { Dashboard } from '../overview.tsx';

const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const;

/** Unresolved incidents by severity, each with the way to its list. */
export function Incidents({ incidents }: { incidents: Dashboard['incidents'] }) {
  return (
    <Section
      title="Open incidents"
      actions={
        <Anchor component={Link} to="/console/incidents">
          All incidents
        </Anchor>
      }
    >
      {incidents.unresolved === 0 && (
        <Text c="dimmed" size="sm" mb="xs">
          Nothing is open.
        </Text>
      )}
      <Table aria-label="Open incidents by severity" verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Severity</Table.Th>
            <Table.Th scope="col" ta="right">
              Open
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Investigated
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {SEVERITIES.map((severity) => {
            const { open, investigating } = incidents.bySeverity[severity];
            return (
              <Table.Tr key={severity}>
                <Table.Td>
                  <Anchor component={Link} to={`/console/incidents?severity=${severity}`} underline="never">
                    <SeverityBadge severity={severity} />
                  </Anchor>
                </Table.Td>
                <Table.Td ta="right" className="number" fw={open > 0 ? 700 : undefined}>
                  {open}
                </Table.Td>
                <Table.Td ta="right" className="number">
                  {investigating}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Section>
  );
}
