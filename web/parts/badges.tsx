import { Badge, Group, Progress, Text } from '@mantine/core';

/** What a state means to who looks at it. */
const TONES: Readonly<Record<string, string>> = {
  settled: 'green',
  success: 'green',
  authenticated: 'green',
  completed: 'green',
  resolved: 'green',
  ready: 'green',
  live: 'green',
  valid: 'green',
  passed: 'green',
  succeeded: 'green',
  active: 'green',
  step_up_required: 'blue',
  running: 'blue',
  requested: 'blue',
  investigating: 'blue',
  shadow: 'blue',
  payment_required: 'blue',
  quarantined: 'yellow',
  held: 'yellow',
  locked: 'yellow',
  open: 'yellow',
  proposed: 'yellow',
  pending: 'yellow',
  rotating: 'blue',
  rejected: 'red',
  failure: 'red',
  denied: 'red',
  failed: 'red',
  restricted: 'red',
  disabled: 'red',
  invalid: 'red',
};

/** A state by its name: the words say it, the colour only helps. */
export function StatusBadge({ status, code }: { status: string; code?: string | null | undefined }) {
  return (
    <Badge color={TONES[status] ?? 'gray'} variant="light" className="badge">
      {status.replaceAll('_', ' ')}
      {code ? `: ${code.replaceAll('_', ' ')}` : ''}
    </Badge>
  );
}

const SEVERITIES: Readonly<Record<string, string>> = {
  // Dark enough for white letters.
  critical: 'red.9',
  high: 'orange',
  medium: 'yellow',
  low: 'blue',
  info: 'gray',
};

export function SeverityBadge({ severity }: { severity: string }) {
  return (
    <Badge
      color={SEVERITIES[severity] ?? 'gray'}
      variant={severity === 'critical' ? 'filled' : 'light'}
      className="badge"
    >
      {severity}
    </Badge>
  );
}

/** A risk score from 0 to 1: as a number, and as a bar beside it. */
export function Score({ value }: { value: number | null | undefined }) {
  if (value === null || value === undefined) return <>–</>;
  const color = value > 0.8 ? 'red' : value > 0.7 ? 'orange' : value > 0.5 ? 'yellow' : 'teal';
  return (
    <Group gap={6} wrap="nowrap" miw={88}>
      <Text span inherit className="number" fw={value > 0.7 ? 700 : 500}>
        {value.toFixed(2)}
      </Text>
      <Progress value={Math.min(100, value * 100)} color={color} size="sm" w={48} aria-hidden />
    </Group>
  );
}
