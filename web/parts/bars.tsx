import { Group, Progress, Text } from '@mantine/core';
import type { ReactNode } from 'react';

export interface Bar {
  readonly key: string;
  readonly label: ReactNode;
  readonly value: number;
}

interface BarsProps {
  /** What is counted, for screen readers. */
  readonly label: string;
  readonly bars: readonly Bar[];
  readonly empty: string;
  /** A colour of the theme. */
  readonly color?: string;
}

/** Things with how often each was counted, as numbers, and as bars against the largest of them. */
export function Bars({ label, bars, empty, color = 'brand.6' }: BarsProps) {
  if (bars.length === 0) {
    return (
      <Text c="dimmed" size="sm">
        {empty}
      </Text>
    );
  }
  const largest = Math.max(...bars.map(({ value }) => value), 1);
  return (
    <ul className="bars" aria-label={label}>
      {bars.map((bar) => (
        <li key={bar.key}>
          <Group justify="space-between" align="baseline" wrap="nowrap" gap="sm">
            <Text span size="sm" className="bars-label">
              {bar.label}
            </Text>
            <Text span size="sm" fw={600} className="number">
              {bar.value}
            </Text>
          </Group>
          <Progress value={(bar.value / largest) * 100} color={color} size="sm" aria-hidden />
        </li>
      ))}
    </ul>
  );
}
