import { Card, SimpleGrid, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** Terms with what is so of them. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([term, value]) => (
        <div key={term} className="fact">
          <dt>{term}</dt>
          <dd>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  );
}

export interface Figure {
  readonly label: string;
  readonly value: ReactNode;
  readonly hint?: ReactNode;
  /** What must not be overlooked. */
  readonly alarm?: boolean;
}

/** The few numbers that a page is about. */
export function Figures({ figures }: { figures: readonly Figure[] }) {
  return (
    <SimpleGrid component="dl" m={0} cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
      {figures.map(({ label, value, hint, alarm }) => (
        <Card key={label} withBorder padding="sm" className="figure" data-alarm={alarm || undefined}>
          <Text component="dt" size="sm" c="dimmed">
            {label}
          </Text>
          <Text component="dd" m={0} fz={24} fw={650} lh={1.25} className="number">
            {value}
            {hint !== undefined && (
              <Text component="span" display="block" size="xs" c="dimmed" fw={400}>
                {hint}
              </Text>
            )}
          </Text>
        </Card>
      ))}
    </SimpleGrid>
  );
}

/** What a figure of several rows is made of. */
export const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
