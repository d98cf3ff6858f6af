import { Text } from '@mantine/core';
import { pointsText } from './values.ts';

/** The rules that made a transaction suspicious, the weightiest first, in two lines of a table. */
export function Why({ reasons }: { reasons: readonly Readonly<Record<string, unknown>>[] }) {
  const telling = reasons
    .map(({ title, points, note }) => ({ title: String(title), points: Number(points), note }))
    .filter(({ points, note }) => points > 0 || note === 'error')
    .sort((a, b) => b.points - a.points);
  if (telling.length === 0) return '–';
  const text = telling.map(({ title, points, note }) => `${title} ${note === 'error' ? 'failed' : pointsText(points)}`);
  return (
    <Text size="sm" miw={220} lineClamp={2} title={text.join('\n')}>
      {text.join(', ')}
    </Text>
  );
}
